"""A channel's settings in words: shown to everybody, changed and looked back on by admins."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from bot.core.answering.options import AnswerOptions
from bot.core.channel_settings.names import FIELDS, LANGUAGES, SettingName, changed, without
from bot.core.channel_settings.presets import names_of
from bot.errors import UserFacingError
from bot.store import Store
from bot.texts import say
from bot.values.turns import ChannelPlace, ChannelSettings

SHOW, LOG, RESET = "show", "history", "reset"
OTHER_WORDS = {"log": LOG, "表示": SHOW, "履歴": LOG, "リセット": RESET, "プリセット": "presets"}
MAX_SHOWN = 300
"""Characters of a system prompt or a note where settings are shown."""
MAX_LOGGED = 60
LOG_LINES = 15
NEUTRAL = str.maketrans({"<": "‹", ">": "›", "@": "＠"})
"""What an admin wrote mentions nobody where it is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """What holds in a channel that has chosen nothing."""

    options: AnswerOptions
    follow_ups: str


class SettingsInWords:
    """Ends each command in a sentence. Lives as long as the bot."""

    def __init__(self, *, store: Store, usual: Usual) -> None:
        self._store = store
        self._usual = usual

    async def run(
        self,
        place: ChannelPlace,
        words: str,
        locale: str,
        *,
        by: str,
        is_admin: bool,
        models: Sequence[str],
    ) -> str:
        """Show, change, reset or look back. Raises: StoreFailed."""
        first, _, rest = words.strip().partition(" ")
        first, rest = first.lower(), rest.strip()
        first = OTHER_WORDS.get(first, first)
        chosen = await self._store.channels.settings(*place)
        if first in {"", SHOW}:
            lines = self._shown(chosen, locale, models)
            ending = "settings_how" if is_admin else "settings_admins"
            return "\n".join([say(locale, "settings_shown"), *lines, say(locale, ending)])
        if first == SettingName.PRESETS and not rest:
            return _presets_shown(chosen, locale, is_admin=is_admin)
        if not is_admin:
            return say(locale, "settings_admins")
        if first == LOG:
            return await self._log(place, locale)
        try:
            new = self._new(chosen, first, rest, models)
        except UserFacingError as refusal:
            return refusal.sentence(locale)
        await self._store.channels.choose(*place, new, by=by, since=chosen)
        return say(locale, "settings_saved")

    def _new(
        self, chosen: ChannelSettings, first: str, rest: str, models: Sequence[str]
    ) -> ChannelSettings:
        if first == RESET and not rest:
            return ChannelSettings()
        name = rest.lower() if first == RESET else first
        if name not in set(SettingName):
            raise UserFacingError("setting_unknown", names=", ".join(SettingName))
        if first == RESET:
            return without(chosen, SettingName(name))
        if not rest:
            raise UserFacingError("setting_needs_value", name=name)
        return changed(chosen, SettingName(name), rest, models=models)

    def _shown(self, chosen: ChannelSettings, locale: str, models: Sequence[str]) -> list[str]:
        options = self._usual.options
        usual: dict[SettingName, object] = {
            SettingName.PROMPT: options.system_prompt,
            SettingName.FOLLOW_UPS: self._usual.follow_ups,
            SettingName.MODEL: models[0] if models else None,
            SettingName.TEMPERATURE: options.temperature,
            SettingName.LENGTH: options.max_new_tokens,
        }
        lines = []
        for name, field in FIELDS.items():
            if name is SettingName.MODEL and not models:
                continue
            here, everywhere = getattr(chosen, field), usual.get(name)
            is_here = here not in {"", None, ()}
            if name is SettingName.MODEL and here not in models:
                is_here = False
            if is_here:
                key, value = "setting_here", here
            elif everywhere not in {"", None}:
                key, value = "setting_everywhere", everywhere
            else:
                key, value = "setting_usual", None
            lines.append(say(locale, key, name=name.value, value=_written(name, value)))
        return lines

    async def _log(self, place: ChannelPlace, locale: str) -> str:
        entries = await self._store.channels.log(*place, limit=LOG_LINES)
        if not entries:
            return say(locale, "settings_log_empty")
        names = {field: name.value for name, field in FIELDS.items()}
        lines = [
            say(
                locale,
                "settings_log_line",
                at=f"{entry.at:%Y-%m-%d %H:%M} UTC",
                who=f"<@{entry.person}>" if entry.person else "…",
                name=names.get(entry.setting, entry.setting),
                before=_logged(entry.setting, entry.before),
                after=_logged(entry.setting, entry.after),
            )
            for entry in entries
        ]
        return "\n".join([say(locale, "settings_log"), *lines])


def _presets_shown(chosen: ChannelSettings, locale: str, *, is_admin: bool) -> str:
    lines = [
        say(
            locale,
            "setting_presets_line",
            name=_clipped(name, MAX_SHOWN),
            prompt=_clipped(prompt, MAX_SHOWN),
        )
        for name, prompt in chosen.presets
    ]
    heading = "setting_presets_shown" if lines else "setting_presets_none"
    how = [say(locale, "setting_presets_how")] if is_admin else []
    return "\n".join([say(locale, heading), *lines, *how])


def _logged(setting: str, value: str) -> str:
    if setting == FIELDS[SettingName.PRESETS] and value:
        value = names_of(json.loads(value))
    return _clipped(value, MAX_LOGGED) or "–"


def _written(name: SettingName, value: object) -> str:
    match value:
        case None:
            return ""
        case tuple() if name is SettingName.PRESETS:
            return _clipped(names_of(value), MAX_SHOWN)
        case tuple():
            return " ".join(f"<@{person}>" for person in value)
        case float():
            return f"{value:g}"
        case _ if name is SettingName.LANGUAGE:
            return LANGUAGES.get(str(value), str(value))
        case _:
            return _clipped(str(value), MAX_SHOWN)


def _clipped(text: str, limit: int) -> str:
    text = " ".join(text.split()).translate(NEUTRAL)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
