"""The modal of a channel's settings: what it shows, and what was filled in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bot.core.channel_settings.forms import USUAL_MODEL, marks, merged
from bot.core.channel_settings.names import (
    MAX_PEOPLE,
    MAX_WORDS,
    QUESTIONS_OWN,
    SettingName,
    changed,
    language_choices,
    without,
)
from bot.errors import UserFacingError
from bot.platforms.slack.replies.blocks import SETTINGS_VIEW, Block, labelled, modal, plain
from bot.texts import say
from bot.values.turns import ChannelSettings

MAX_OPTIONS = 100
DEFAULT = "default"
FOLLOW_UPS = {
    DEFAULT: "settings_follow_ups_default",
    "thread": "settings_follow_ups_thread",
    "mention": "settings_follow_ups_mention",
}
NUMBERS = {"temperature": SettingName.TEMPERATURE, "max_new_tokens": SettingName.LENGTH}
"""Block → setting, of those that are typed and can be wrong."""


class Wrong(Exception):
    """What was filled in cannot be; Slack shows the sentences under the fields."""

    def __init__(self, refusals: Mapping[str, UserFacingError]) -> None:
        super().__init__(", ".join(refusals))
        self._refusals = refusals

    def sentences(self, locale: str) -> dict[str, str]:
        """Block → what it can be."""
        return {block: refusal.sentence(locale) for block, refusal in self._refusals.items()}


def view(channel: str, chosen: ChannelSettings, locale: str, models: Sequence[str] = ()) -> Block:
    """Shows what is chosen for a channel. `models`: the names to choose from, if several."""
    follow_ups = [(value, say(locale, key)) for value, key in FOLLOW_UPS.items()]
    temperature = "" if chosen.temperature is None else f"{chosen.temperature:g}"
    length = str(chosen.max_new_tokens or "")
    people: Block = {
        "type": "multi_users_select",
        "action_id": "value",
        "max_selected_items": MAX_PEOPLE,
    }
    if chosen.people:
        people["initial_users"] = list(chosen.people)
    blocks = [
        labelled(locale, "system_prompt", "settings_system_prompt", _text(chosen.system_prompt)),
        labelled(locale, "note", "settings_note", _text(chosen.note)),
        labelled(
            locale,
            "follow_ups",
            "settings_follow_ups",
            _select(follow_ups, chosen.follow_ups or DEFAULT),
        ),
        labelled(
            locale,
            "language",
            "settings_language",
            _select(language_choices(locale), chosen.language or QUESTIONS_OWN),
        ),
        labelled(locale, "people", "settings_people", people),
        labelled(locale, "temperature", "settings_temperature", _line(temperature)),
        labelled(locale, "max_new_tokens", "settings_length", _line(length)),
    ]
    if models:
        current = chosen.model if chosen.model in models else USUAL_MODEL
        usual = say(locale, "settings_model_usual", name=models[0])
        names = [(USUAL_MODEL, usual), *((name, name) for name in models[: MAX_OPTIONS - 1])]
        blocks.append(labelled(locale, "model", "settings_model", _select(names, current)))
    about = {"channel": channel, "shown": marks(chosen)}
    return modal(locale, SETTINGS_VIEW, "modal_settings", about, *blocks)


def chosen_in(view: Mapping[str, Any], before: ChannelSettings) -> ChannelSettings:
    """The settings that were filled in; what was left as the modal showed it is as before.

    `before`: what holds by now. Raises: Wrong.
    """
    follow_ups = filled_in(view, "follow_ups") or DEFAULT
    language = filled_in(view, "language") or before.language
    people = _element(view, "people").get("selected_users")
    chosen = replace(
        before,
        system_prompt=(filled_in(view, "system_prompt") or "").strip(),
        note=(filled_in(view, "note") or "").strip(),
        follow_ups="" if follow_ups == DEFAULT else follow_ups,
        model=(filled_in(view, "model") or before.model).replace(USUAL_MODEL, ""),
        language="" if language == QUESTIONS_OWN else language,
        people=before.people if people is None else tuple(people),
    )
    refusals = {}
    for block, name in NUMBERS.items():
        words = (filled_in(view, block) or "").strip()
        try:
            chosen = changed(chosen, name, words, models=()) if words else without(chosen, name)
        except UserFacingError as refusal:
            refusals[block] = refusal
    if refusals:
        raise Wrong(refusals)
    return merged(chosen, before, json.loads(view["private_metadata"]).get("shown", ""))


def filled_in(view: Mapping[str, Any], block: str) -> str | None:
    """What was typed or selected in a block; `None`: nothing."""
    element = _element(view, block)
    found = (element.get("selected_option") or element).get("value")
    return None if found is None else str(found)


def _element(view: Mapping[str, Any], block: str) -> Mapping[str, Any]:
    element: Mapping[str, Any] = view["state"]["values"].get(block, {}).get("value", {})
    return element


def _text(value: str) -> Block:
    return _line(value) | {"multiline": True, "max_length": MAX_WORDS}


def _line(value: str) -> Block:
    field: Block = {"type": "plain_text_input", "action_id": "value"}
    return field | ({"initial_value": value} if value else {})


def _select(choices: Iterable[tuple[str, str]], current: str) -> Block:
    options = {value: {"text": plain(label), "value": value} for value, label in choices}
    return {
        "type": "static_select",
        "action_id": "value",
        "options": list(options.values()),
        "initial_option": options[current],
    }
