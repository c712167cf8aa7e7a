"""Secrets from files: `SLACK_BOT_TOKEN_FILE=/run/secrets/…`, and systemd's credentials."""

from bot.credentials.files import DIRECTORY, SUFFIX, Found, from_credentials, from_files, is_secret

__all__ = ["DIRECTORY", "SUFFIX", "Found", "from_credentials", "from_files", "is_secret"]
