"""Discord: mention the bot with a picture, follow up in the thread (docs/discord.md)."""
