"""How bytes reach the service: REST and the audio stream."""
