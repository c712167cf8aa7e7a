"""What the bot remembers: threads, turns, pictures, and the inbox of claimed questions."""

from bot.store.database import DatabaseUnusable, StoreFailed
from bot.store.inbox import Inbox
from bot.store.people import People
from bot.store.replies import Replies
from bot.store.store import Store, running_store
from bot.values.turns import StoredPicture, ThreadSummary, Turn

__all__ = [
    "DatabaseUnusable",
    "Inbox",
    "People",
    "Replies",
    "Store",
    "StoreFailed",
    "StoredPicture",
    "ThreadSummary",
    "Turn",
    "running_store",
]
