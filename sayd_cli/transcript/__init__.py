"""Events into a transcript, a transcript into text. No I/O."""
