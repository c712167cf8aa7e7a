"""Which model a request means, while some are still loaded."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from bot.errors import Busy
from bot.platforms.api.errors import ApiRefusal
from bot.platforms.api.models import Models
from inference.types import ModelInfo
from tests.engines import ScriptedModel

LOADED = ScriptedModel().model


def models(**known: ModelInfo | None) -> Models:
    return Models(SimpleNamespace(models=lambda: known))  # type: ignore[arg-type]


def test_a_model_that_is_still_loaded_keeps_no_other_from_answering() -> None:
    found = models(quick=LOADED, good=None)
    assert found.find("quick") == ("quick", LOADED)
    assert found.find(None) == ("quick", LOADED)
    with pytest.raises(Busy):
        found.find("good")
    with pytest.raises(ApiRefusal) as refused:
        found.find("other")
    assert refused.value.status == 404


def test_the_only_model_has_no_name_before_it_is_loaded() -> None:
    with pytest.raises(Busy):
        models(**{"": None}).find("whatever it is called")
