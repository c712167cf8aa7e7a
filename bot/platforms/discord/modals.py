"""Modals: the question about a picture, and a channel's settings.

A modal says in its id what it is about, and is read from what Discord sends: so one that was
opened before a restart is still taken after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import discord
from discord import ui

from bot.core.channel_settings.forms import USUAL_MODEL, marks, merged
from bot.core.channel_settings.names import QUESTIONS_OWN, language_choices
from bot.texts import say
from bot.values.turns import ChannelSettings

ASK_MODAL, SETTINGS_MODAL = "llava-ask", "llava-settings"
MAX_QUESTION = 3000
MAX_PROMPT = 2000
MAX_LABEL = 45
MAX_OPTIONS = 25
FORGOTTEN_AFTER_S = 60
"""By discord.py, which has no use for it once it is shown."""


def ask_modal(target: str, locale: str) -> ui.Modal:
    """Asks for the question about a message's picture."""
    modal = _modal(f"{ASK_MODAL}:{target}", locale)
    question = _text("question", MAX_QUESTION, placeholder=say(locale, "default_question"))
    modal.add_item(_label(say(locale, "modal_question"), question))
    return modal


def settings_modal(
    channel: str, chosen: ChannelSettings, locale: str, models: Sequence[str] = ()
) -> ui.Modal:
    """Shows what is chosen for a channel. `models`: the names to choose from, if several."""
    modal = _modal(f"{SETTINGS_MODAL}:{channel}:{marks(chosen)}", locale)
    for name, value in (("system_prompt", chosen.system_prompt), ("note", chosen.note)):
        field = _text(name, MAX_PROMPT, default=value or None)
        modal.add_item(_label(say(locale, f"settings_{name}"), field))
    select: ui.Select[Any] = ui.Select(custom_id="follow_ups", min_values=1, max_values=1)
    for value in ("default", "thread", "mention"):
        select.add_option(
            label=say(locale, f"settings_follow_ups_{value}"),
            value=value,
            default=value == (chosen.follow_ups or "default"),
        )
    modal.add_item(_label(say(locale, "settings_follow_ups"), select))
    languages: ui.Select[Any] = ui.Select(custom_id="language", min_values=1, max_values=1)
    for code, label in language_choices(locale):
        languages.add_option(
            label=label, value=code, default=code == (chosen.language or QUESTIONS_OWN)
        )
    modal.add_item(_label(say(locale, "settings_language"), languages))
    if models:
        names: ui.Select[Any] = ui.Select(custom_id="model", min_values=1, max_values=1)
        current = chosen.model if chosen.model in models else USUAL_MODEL
        usual = say(locale, "settings_model_usual", name=models[0])
        names.add_option(label=usual, value=USUAL_MODEL, default=current == USUAL_MODEL)
        for name in models[: MAX_OPTIONS - 1]:
            names.add_option(label=name, value=name, default=name == current)
        modal.add_item(_label(say(locale, "settings_model"), names))
    return modal


def _modal(custom_id: str, locale: str) -> ui.Modal:
    title = say(locale, "modal_title")
    return ui.Modal(title=title, custom_id=custom_id, timeout=FORGOTTEN_AFTER_S)


def _text(
    custom_id: str, max_length: int, *, default: str | None = None, placeholder: str | None = None
) -> ui.TextInput[Any]:
    return ui.TextInput(
        custom_id=custom_id,
        style=discord.TextStyle.paragraph,
        required=False,
        max_length=max_length,
        default=default,
        placeholder=placeholder,
    )


def _label(text: str, component: ui.Item[Any]) -> ui.Label[Any]:
    return ui.Label(text=text[:MAX_LABEL], component=component)


def fields_of(data: Mapping[str, Any]) -> dict[str, str]:
    """What was filled in, by the fields' ids."""
    return dict(_fields(data.get("components") or ()))


def _fields(components: Any) -> Iterator[tuple[str, str]]:
    """However it is nested: Discord wraps fields in rows or in labels."""
    for component in components:
        if "custom_id" in component and "values" in component:
            yield component["custom_id"], next(iter(component["values"]), "")
        elif "custom_id" in component:
            yield component["custom_id"], str(component.get("value") or "")
        yield from _fields(component.get("components") or ())
        if "component" in component:
            yield from _fields([component["component"]])


def chosen_in(fields: Mapping[str, str], before: ChannelSettings, shown: str) -> ChannelSettings:
    """The settings that were filled in; what was left as the modal showed it is as before.

    `before`: what holds by now; `shown`: the marks in the modal's id.
    """
    follow_ups = fields.get("follow_ups") or "default"
    chosen = replace(
        before,
        system_prompt=fields.get("system_prompt", "").strip(),
        note=fields.get("note", "").strip(),
        follow_ups="" if follow_ups == "default" else follow_ups,
        model=fields.get("model", before.model).replace(USUAL_MODEL, ""),
        language=fields.get("language", before.language).replace(QUESTIONS_OWN, ""),
    )
    return merged(chosen, before, shown)
