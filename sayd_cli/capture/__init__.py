"""Where audio comes from: microphone, file, standard input."""
