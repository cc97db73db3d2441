"""The Sayd Listen API as values and state machines, both sides. No I/O."""
