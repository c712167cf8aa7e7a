"""Presets: their names are what people see, their prompts what the model gets."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.core.answering.options import AnswerOptions
from bot.core.commands import Command, Commands
from bot.core.presets import Preset, Presets, load_presets
from bot.errors import ConfigurationError
from bot.texts import LANGUAGES
from bot.values.messages import Author
from tests.engines import ScriptedModel
from tests.scenario.core import message, red, running_answers, running_core

OWN = """
[[preset]]
name = "Safety check"
prompt = "List every hazard that you see."

[[preset]]
name = "安全確認"
prompt = "写っている危険をすべて挙げてください。"
language = "ja"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "presets.toml"
    path.write_text(text)
    return path


def test_a_name_stands_for_its_prompt_however_it_is_written() -> None:
    presets = Presets()
    prompt = presets.prompt_of("Alt text")
    assert "alt text" in prompt
    assert len(prompt) > 40
    for same in ("alt text", " ALT  TEXT. ", "Ａｌｔ ｔｅｘｔ"):
        assert presets.prompt_of(same) == prompt
    assert presets.prompt_of("Alt text of this, please") == "Alt text of this, please"


def test_everybody_is_offered_those_of_their_language() -> None:
    for locale in LANGUAGES:
        names = Presets().names(locale)
        assert len(names) == 5
        assert all(Presets().prompt_of(name) != name for name in names)
    assert not set(Presets().names("en")) & set(Presets().names("ja"))


def test_a_preset_of_some_channels_is_offered_there_alone(tmp_path: Path) -> None:
    presets = load_presets(written(tmp_path, OWN.replace('see."', 'see."\nchannels = ["C1"]')))
    assert "Safety check" in presets.names("en", "C1")
    assert "Safety check" not in presets.names("en", "C2")
    assert "Safety check" not in presets.names("en")
    assert "安全確認" in presets.names("ja", "C2")
    with pytest.raises(ConfigurationError, match="channels is a list"):
        load_presets(written(tmp_path, OWN.replace('see."', 'see."\nchannels = "C1"')))


def test_the_teams_own_come_first_and_take_the_place_of_others(tmp_path: Path) -> None:
    presets = load_presets(written(tmp_path, OWN))
    assert presets.names("en-GB")[0] == "Safety check"
    assert presets.names("ja")[:2] == ["Safety check", "安全確認"]
    assert presets.prompt_of("safety check") == "List every hazard that you see."
    ours = Presets([Preset("Alt text", "Ours.")])
    assert ours.prompt_of("alt text") == "Ours."
    assert ours.names("en").count("Alt text") == 1


@pytest.mark.parametrize("words", ["Read the text", "read this", "文字を読み取る。"])
def test_one_of_them_asks_for_the_text_itself_unless_the_team_has_its_own(words: str) -> None:
    assert Presets().asks_for_text(words)
    assert not Presets([Preset(words, "Ours.")]).asks_for_text(words)
    assert not Presets().asks_for_text("Alt text")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[[preset", "is no TOML"),
        ("x = 1", "nothing else"),
        ("preset = 1", "nothing else"),
        ('[[preset]]\nname = "a"', "needs a name and a prompt"),
        ('[[preset]]\nname = "a"\nprompt = 1', "are texts"),
        ('[[preset]]\nname = ""\nprompt = "b"', "1 to 75"),
        ('[[preset]]\nname = "a"\nprompt = "b"\nlanguage = "xx"', "en, ja"),
        ('[[preset]]\nname = "a"\nprompt = "b"\ncolour = "red"', "needs a name and a prompt"),
        ('[[preset]]\nname = "a"\nprompt = "b"\n' * 21, "at most 20"),
    ],
)
def test_a_wrong_file_is_told_in_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        load_presets(written(tmp_path, text))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_presets(tmp_path / "none.toml")


async def test_the_model_gets_the_prompt_and_the_thread_shows_the_name(tmp_path: Path) -> None:
    backend = ScriptedModel()
    options = AnswerOptions(presets=Presets([Preset("Hazards", "List every hazard.")]))
    async with running_answers(tmp_path, backend, options=options) as (answers, store):
        question = message("hazards", "red")
        assert await answers.ask(question, red())
        assert await answers.ask(message("And now?"), red())
        assert [it.messages[-1].text for it in backend.requests] == [
            "List every hazard.",
            "And now?",
        ]
        assert backend.requests[1].messages[0].text == "List every hazard."
        assert (await store.turns(question.thread))[0].question == "hazards"
        assert (await answers.preset_names("en"))[0] == "Hazards"


async def test_help_names_the_presets_of_the_channel_it_is_asked_in(tmp_path: Path) -> None:
    own = OWN.replace('see."', 'see."\nchannels = ["C1"]')
    presets = await asyncio.to_thread(lambda: load_presets(written(tmp_path, own)))
    async with running_core(tmp_path / "data", ScriptedModel()) as core:
        commands = Commands(
            store=core.store,
            questions=core.questions,
            erasure=core.erasure,
            engine=core.engine,
            options=AnswerOptions(presets=presets),
        )

        async def said(channel: str) -> str:
            return await commands.run(
                Command.HELP,
                platform="slack",
                team="T1",
                thread=None,
                channel=channel,
                author=Author(id="U1", name="Ann"),
                locale="en",
                is_admin=False,
            )

        assert "Safety check" in await said("C1")
        assert "Safety check" not in await said("C2")
