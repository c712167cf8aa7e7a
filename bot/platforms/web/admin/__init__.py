"""The admin's page: how the bot is, and nothing of what anybody asked."""
