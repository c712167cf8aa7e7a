"""The part of the set-up that is about the model: what fits the card, and what is chosen."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.configuration import Configuration
from bot.doctor.model import Gpu, gpus
from bot.doctor.quantities import gigabytes
from bot.setup.dialogue import Dialogue
from bot.texts import say
from inference.errors import ModelUnavailable
from inference.names import check_name, is_remote
from inference.types import Quantization

MOST_SUGGESTED = 4
QUANTIZE: dict[str, Quantization] = {"bf16": "none", "int8": "int8", "4 bits": "nf4"}
"""The catalogue's precisions, as the setting has them."""
POCKET = "pocket"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A model that runs well here, in the most bits that fit."""

    model: str
    quantize: Quantization
    line: str

    @property
    def settings(self) -> dict[str, str]:
        """By variable."""
        return {"MODEL": self.model, "QUANTIZE": self.quantize}


def suggestions(card: Gpu | None, locale: str) -> list[Suggestion]:
    """What to choose from, the recommended one first; the pocket model is always there."""
    pocket = Suggestion(model=POCKET, quantize="none", line=say(locale, "setup_model_pocket"))
    if card is None:
        return [pocket]
    from inference.catalogue import Card, Need, fast_models, fits_on, recommended

    fits = fits_on(Card(name=card.name, memory_bytes=card.total_bytes), Need(), fast=fast_models())
    best = recommended(fits)
    ordered = [*([] if best is None else [best]), *(fit for fit in fits if fit.is_fast)]
    by_model = {fit.model.name: fit for fit in reversed(ordered)}  # the first of each stays
    first_of_each = list(dict.fromkeys(by_model[fit.model.name].model.name for fit in ordered))
    found = [
        Suggestion(
            model=name,
            quantize=QUANTIZE[by_model[name].precision],
            line=say(
                locale,
                "setup_model_line",
                model=name,
                precision=by_model[name].precision,
                memory=gigabytes(by_model[name].needed_bytes),
                speed=round(by_model[name].tokens_per_second),
            ),
        )
        for name in first_of_each[:MOST_SUGGESTED]
    ]
    return [*found, pocket]


def ask_model(dialogue: Dialogue, configuration: Configuration) -> dict[str, str]:
    """Ask which model answers. Returns: settings, by variable; none: as is."""
    settings, locale = configuration.bot, dialogue.locale
    dialogue.heading(say(locale, "setup_model_title"))
    if settings.models is not None:
        names = ", ".join(one.name for one in settings.models)
        dialogue.tell("setup_models_stay", models=names)
        return {}
    if "model" in settings.model_fields_set and dialogue.yes(
        "setup_model_keep", default=True, model=settings.model
    ):
        return {}
    card = best_card()
    if card is None:
        dialogue.tell("setup_no_card")
    else:
        dialogue.tell("setup_card", card=card.name, memory=gigabytes(card.total_bytes))
    offered = suggestions(card, locale)
    offered[0] = replace(
        offered[0], line=f"{offered[0].line} {say(locale, 'setup_model_recommended')}"
    )
    while True:
        chosen = dialogue.choice([it.line for it in offered], "setup_model_question")
        if isinstance(chosen, int):
            return offered[chosen].settings
        try:
            return {"MODEL": chosen, "QUANTIZE": precision_for(chosen, card, configuration)}
        except ModelUnavailable as exc:
            print(exc)


def recommended_settings() -> dict[str, str]:
    """The model that suits this machine best, without a question."""
    return suggestions(best_card(), "en")[0].settings


def precision_for(model: str, card: Gpu | None, configuration: Configuration) -> Quantization:
    """The most bits in which a model fits the card. Raises: ModelUnavailable: there is no such."""
    from inference.backends.survey import RATIO, survey

    settings = configuration.bot
    check_name(model)
    if is_remote(model):
        return "none"  # its server has its own precision
    spec = replace(settings.model_spec, name=model)
    found = survey(spec, cache_dir=settings.data_dir / "models")
    if card is None or found.is_pocket:
        return "none"
    choices: tuple[Quantization, ...] = ("none", "int8", "nf4")
    assert set(choices) == set(RATIO)  # noqa: S101 - each has its ratio
    for quantize in choices:
        needed = found.needed_bytes(quantize, on_gpu=True)
        if needed is None or needed < card.total_bytes:
            return quantize
    return "nf4"


def best_card() -> Gpu | None:
    """The card with the most memory."""
    return max(gpus(), key=lambda card: card.total_bytes, default=None)
