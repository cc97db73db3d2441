"""Where settings, directories and keys come from."""
