"""What a visitor of the playground is known by, and what they may change about themselves."""
