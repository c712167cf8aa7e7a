"""What admins choose for a channel: its words, its bounds, and who chose what."""
