"""One question in Slack and the messages of its reply."""
