"""The settings for models that servers run (`MODEL=openai:…`)."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, SecretStr

from bot.settings import SettingsGroup


class ModelServerSettings(SettingsGroup):
    """The variables that begin with `MODEL_SERVER_`."""

    prefix: ClassVar[str] = "MODEL_SERVER_"

    api_key: SecretStr | None = Field(
        None, examples=["…"], description="The key that the servers want, if they want one."
    )
    at_once: int = Field(
        64,
        ge=1,
        description="Questions that one server gets at once; more wait for their turn in the bot.",
    )
    first_token_s: float = Field(
        300,
        gt=0,
        description="Seconds from sending a question to the first word; then the server counts as "
        "down, and another one is asked.",
    )
    between_s: float = Field(
        60, gt=0, description="The same, from one word of an answer to the next."
    )
