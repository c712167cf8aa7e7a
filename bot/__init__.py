"""The bot: platforms outside, one use case inside. Start reading at `bot.answer`."""
