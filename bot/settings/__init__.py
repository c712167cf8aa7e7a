"""The settings that every bot has, and what a group of settings is.

A platform's own settings stand beside its adapter (`bot/platforms/slack/settings.py`).
`bot.configuration` reads them all.
"""

from bot.settings.group import Ids, SettingsGroup, TrustedProxies, choices_of, revealed, split
from bot.settings.settings import Settings
from bot.settings.storage import default_data_dir

__all__ = [
    "Ids",
    "Settings",
    "SettingsGroup",
    "TrustedProxies",
    "choices_of",
    "default_data_dir",
    "revealed",
    "split",
]
