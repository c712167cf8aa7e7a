"""What keeps one person's number from taking everybody else's turn."""
