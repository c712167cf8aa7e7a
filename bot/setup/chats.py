"""The part of the set-up that is about one chat platform: its app, its tokens, its next steps."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from bot.configuration import Configuration
from bot.platforms.entry import PlatformEntry, SetUp, TokenQuestion
from bot.settings import SettingsGroup
from bot.setup.dialogue import Dialogue


def ask_platform(
    dialogue: Dialogue, entry: PlatformEntry[Any], configuration: Configuration
) -> dict[str, str]:
    """Ask whether and how to connect to a platform. Returns: settings, by variable; none: as is."""
    set_up, settings = entry.set_up, configuration.of(entry.settings)
    if set_up is None:
        return {}
    dialogue.heading(entry.title)
    if entry.is_set_up(settings):
        if dialogue.yes("setup_keep_platform", default=True, platform=entry.title):
            return {}
    elif not dialogue.yes("setup_use_platform", default=False, platform=entry.title):
        return {}
    print(set_up.before(dialogue.locale))
    tokens: dict[str, str] = {}
    for question in set_up.tokens:
        token = _ask_token(dialogue, entry, set_up, question, settings)
        if token is None:
            dialogue.tell("setup_platform_left_out", platform=entry.title)
            return {}
        tokens[question.setting] = token
    print(set_up.after(dialogue.locale, _with(settings, tokens)))
    return {f"{entry.settings.prefix}{name.upper()}": it for name, it in tokens.items()}


def _ask_token(
    dialogue: Dialogue,
    entry: PlatformEntry[Any],
    set_up: SetUp[Any],
    question: TokenQuestion,
    settings: SettingsGroup,
) -> str | None:
    """Ask until it is right. Returns: `None` when the platform is to be left out."""
    prefix, shapes = entry.settings.prefix, entry.settings.shapes
    dialogue.tell(question.sentence)
    while True:
        variable = f"{prefix}{question.setting.upper()}"
        token = dialogue.secret("setup_token_prompt", name=variable, platform=entry.title)
        if not token:
            return None
        if not shapes[question.setting].fullmatch(token):
            others = (name for name, shape in shapes.items() if shape.fullmatch(token))
            if (other := next(others, None)) is not None:
                other = f"{prefix}{other.upper()}"
                dialogue.tell("setup_token_other", name=other, form=question.form)
            else:
                dialogue.tell("setup_token_form", form=question.form)
            continue
        verify = set_up.verify(_with(settings, {question.setting: token}), question.setting)
        verdict = asyncio.run(_awaited(verify))
        said = {"platform": entry.title, "detail": verdict.detail}
        if verdict.accepted is False:
            dialogue.tell("setup_token_refused", **said)
            continue
        dialogue.tell("setup_token_accepted" if verdict.accepted else "setup_token_untried", **said)
        return token


async def _awaited(verify: Any) -> Any:
    return await verify


def _with(settings: SettingsGroup, changes: Mapping[str, str]) -> Any:
    """A group of settings with some of them changed."""
    given = {name: getattr(settings, name) for name in settings.model_fields_set}
    try:
        return type(settings).model_validate({**given, **changes})
    except ValidationError:
        return type(settings).model_validate(dict(changes))
