"""What people and the bot write, as trees that the page builds its elements of."""
