"""How much the bot is used, by day, place, person, model and outcome; no texts."""

from bot.store.usage.counting import count, forget_person
from bot.store.usage.usage import Usage

__all__ = ["Usage", "count", "forget_person"]
