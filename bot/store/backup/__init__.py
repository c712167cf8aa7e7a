"""A copy of the store while the bot runs, and the way back."""

from bot.store.backup.backup import BackedUp, back_up
from bot.store.backup.restore import Restored, restore

__all__ = ["BackedUp", "Restored", "back_up", "restore"]
