"""How the pocket model was made, and how well it answers. Not in the wheel."""
