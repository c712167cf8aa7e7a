"""The bot: platforms outside, one use case inside. Start reading at `bot.core.answer`."""
