"""What was heard, kept in SQLite."""
