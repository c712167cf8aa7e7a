"""Conversations that somebody brings along whole: completed, and nothing of them is kept."""
