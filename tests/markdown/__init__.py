"""Markdown that the page and the chats show alike."""
