"""What the bot does in Discord, a chapter a file."""
