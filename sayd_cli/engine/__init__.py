"""The speech engine inside the package: who speaks when, and what is said."""
