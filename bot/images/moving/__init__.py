"""What moves, as a few of its frames on one picture."""
