"""What the bot writes in Discord: answers, notices and sentences."""
