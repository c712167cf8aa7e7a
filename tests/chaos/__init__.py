"""Chaos: the real bot under faults, on Slack, Discord and the playground at once."""
