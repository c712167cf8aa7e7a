"""`llava-bot status`: how the bot is that runs on this machine."""
