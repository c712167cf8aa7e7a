"""What the bot does in Slack. Each file is a chapter; read `conftest.py` for who is who."""
