"""What a form has shown: a field that was left as it was shown is left as it is by now."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from typing import Final

from bot.core.channel_settings.names import FIELDS, SettingName
from bot.values.turns import ChannelSettings

USUAL_MODEL: Final = "*"
"""In a menu, the model of channels that have chosen none; no model's name."""
_MARK: Final = 6
_IN_FORMS: Final = tuple(field for name, field in FIELDS.items() if name is not SettingName.PRESETS)
"""Presets are chosen in words alone."""


def marks(shown: ChannelSettings) -> str:
    """A short mark of each setting, for the form to carry: 48 letters, digits, `-` and `_`."""
    return "".join(_mark(getattr(shown, field)) for field in _IN_FORMS)


def merged(chosen: ChannelSettings, now: ChannelSettings, marks: str) -> ChannelSettings:
    """What was chosen in a form, and of the other settings what they are now.

    `marks`: those of what the form showed; without, everything counts as chosen.
    """
    fields = [
        field
        for number, field in enumerate(_IN_FORMS)
        if _mark(getattr(chosen, field)) == marks[number * _MARK : (number + 1) * _MARK]
    ]
    kept = (*fields, FIELDS[SettingName.PRESETS])
    return replace(chosen, **{field: getattr(now, field) for field in kept})


def _mark(value: object) -> str:
    digest = hashlib.sha256(json.dumps(value).encode()).digest()
    return base64.urlsafe_b64encode(digest).decode()[:_MARK]
