"""What the pocket finds in a picture: things, how many, where, and which colours."""
