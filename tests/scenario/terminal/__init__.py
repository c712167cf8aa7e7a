"""The command: what is typed, and what it prints."""
