"""Move a store from SQLite into PostgreSQL."""

from bot.store.moving.move import Moved, move_store

__all__ = ["Moved", "move_store"]
