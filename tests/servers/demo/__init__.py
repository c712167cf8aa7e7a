"""The demos' page: a person talks to the bot in a local Slack or Discord."""
