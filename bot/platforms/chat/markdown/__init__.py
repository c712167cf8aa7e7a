"""What models write, for chats with a Markdown of their own.

One parse for all; a chat's `Dialect` says how it writes what was meant.
"""
