"""A local Slack: real HTTP and WebSocket for the unmodified SDK. Start with `server.py`."""
