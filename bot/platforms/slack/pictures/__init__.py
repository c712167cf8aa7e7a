"""Which pictures a Slack message shows, and their bytes."""
