"""Our own server of the Sayd Listen API."""
