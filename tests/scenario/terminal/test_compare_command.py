"""`llava-bot compare`: BLIP and BLIP-2 beside LLaVA, with real processes and tiny models."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.pictures import encode
from tests.scenario.command import llava_bot
from tests.tiny_models.others import blip_caption, blip_vqa

pytestmark = pytest.mark.heavy


@pytest.mark.timeout(600)
async def test_blip_and_blip_2_stand_beside_llava_in_one_table(
    tmp_path: Path, tiny_checkpoint: Callable[[str], Path]
) -> None:
    models = {
        "llava-1.5": tiny_checkpoint("llava-1.5"),
        "blip-2": tiny_checkpoint("blip-2"),
        "blip-vqa": blip_vqa(tmp_path / "vqa"),
        "blip-caption": blip_caption(tmp_path / "caption"),
        "nothing": tmp_path / "nothing",
    }
    models["nothing"].mkdir()
    (tmp_path / "a.png").write_bytes(encode(Image.effect_noise((50, 40), 50)))
    named = [word for path in models.values() for word in ("--model", str(path))]
    result = await llava_bot(
        *("compare", *named, "a.png", "What is this?", "--json", "--html", "c.html"),
        *("--max-new-tokens", "8"),
        data_dir=tmp_path,
    )
    assert result.code == 1  # one of them is none
    said = json.loads(result.out)["models"]
    assert "holds no model" in said.pop(str(models.pop("nothing")))["error"]
    for path in models.values():
        one = said[str(path)]
        (answer,) = one["answers"]
        assert answer["new_tokens"] >= 1
        assert 0 < answer["first_token_s"] <= answer["total_s"]
        assert one["process_bytes"] > one["weights_bytes"] > 0
    assert [said[str(path)]["path"] for path in models.values()] == ["fast", *["plain"] * 3]
    assert (tmp_path / "c.html").read_text().count("data:image/png") == 1
