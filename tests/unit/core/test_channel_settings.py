"""A channel's settings in words: what each can be, who may change them, and who did."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.core.answering.options import AnswerOptions
from bot.core.channel_settings.forms import marks, merged
from bot.core.channel_settings.names import SettingName, changed, without
from bot.core.channel_settings.words import SettingsInWords, Usual
from bot.errors import UserFacingError
from bot.store import Store, StoreFailed, running_store
from bot.values.turns import ChannelSettings
from tests.store_faults import fails_at

PLACE = ("slack", "T1", "C1")
MODELS = ("quick", "good")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with running_store(tmp_path) as store:
        yield store


def words_of(store: Store) -> SettingsInWords:
    options = AnswerOptions(system_prompt="Be brief.", temperature=0.5)
    return SettingsInWords(store=store, usual=Usual(options=options, follow_ups="thread"))


async def told(store: Store, words: str, *, is_admin: bool = True, by: str = "U1") -> str:
    return await words_of(store).run(PLACE, words, "en", by=by, is_admin=is_admin, models=MODELS)


@pytest.mark.parametrize(
    ("name", "words", "chosen"),
    [
        ("prompt", "You are a parrot.", ChannelSettings(system_prompt="You are a parrot.")),
        ("note", "Not for production.", ChannelSettings(note="Not for production.")),
        ("follow-ups", "Mention", ChannelSettings(follow_ups="mention")),
        ("model", "GOOD", ChannelSettings(model="good")),
        ("language", "ja", ChannelSettings(language="ja")),
        ("language", "日本語", ChannelSettings(language="ja")),
        ("language", "Japanese", ChannelSettings(language="ja")),
        ("people", "<@U1> <@!22|ben> U3 <@U1>", ChannelSettings(people=("U1", "22", "U3"))),
        ("people", "everybody", ChannelSettings()),
        ("temperature", "０.７", ChannelSettings(temperature=0.7)),
        ("temperature", "0,7", ChannelSettings(temperature=0.7)),
        ("length", "128", ChannelSettings(max_new_tokens=128)),
        ("presets", "Hazards = List them.", ChannelSettings(presets=(("Hazards", "List them."),))),
        ("presets", "a ＝ b = c", ChannelSettings(presets=(("a", "b = c"),))),
    ],
)
def test_each_setting_can_be_written(name: str, words: str, chosen: ChannelSettings) -> None:
    assert changed(ChannelSettings(), SettingName(name), words, models=MODELS) == chosen
    assert without(chosen, SettingName(name)) == ChannelSettings()


@pytest.mark.parametrize(
    ("name", "words", "sentence"),
    [
        ("prompt", "x" * 2001, "at most 2000 characters"),
        ("follow-ups", "never", "“thread”"),
        ("model", "better", "There are: quick, good"),
        ("language", "Klingon", "ja (Japanese)"),
        ("people", "、。", "100 people at most"),
        ("people", " ".join(f"U{number}" for number in range(101)), "100 people at most"),
        ("temperature", "hot", "from 0"),
        ("temperature", "2.01", "from 0"),
        ("temperature", "nan", "from 0"),
        ("length", "15", "from 16 to 8192"),
        ("length", "1e3", "from 16 to 8192"),
        ("length", "9" * 5000, "from 16 to 8192"),
        ("presets", "List every hazard.", "“Name = What the model is to do”"),
        ("presets", "= List every hazard.", "“Name = What the model is to do”"),
        ("presets", " .!  = x", "“Name = What the model is to do”"),
        ("presets", f"{'x' * 76} = List them.", "at most 75 characters"),
        ("presets", f"Hazards = {'x' * 2001}", "at most 2000"),
        ("presets", "Hazards =", "no preset of this name"),
    ],
)
async def test_what_it_cannot_be_is_told_with_what_it_can(
    store: Store, name: str, words: str, sentence: str
) -> None:
    assert sentence in await told(store, f"{name} {words}")
    assert await store.channels.settings(*PLACE) == ChannelSettings()
    assert await store.channels.log(*PLACE, limit=9) == []


def test_where_one_model_is_loaded_there_is_none_to_choose() -> None:
    with pytest.raises(UserFacingError, match="model_only_one"):
        changed(ChannelSettings(), SettingName.MODEL, "good", models=())


async def test_everybody_sees_what_holds_and_whence(store: Store) -> None:
    await told(store, "temperature 1.5")
    shown = await told(store, "", is_admin=False)
    assert "• temperature: 1.5 (chosen for this channel)" in shown
    assert "• prompt: Be brief. (the bot's setting)" in shown
    assert "• length: as usual" in shown
    assert "• model: quick (the bot's setting)" in shown
    assert "can change its settings" in shown
    assert "/llava settings reset" in await told(store, "show")


async def test_only_admins_change_reset_or_look_back(store: Store) -> None:
    await told(store, "note ours")
    for words in ("note hacked", "reset", "reset note", "log", "履歴"):
        assert "can change its settings" in await told(store, words, is_admin=False)
    assert (await store.channels.settings(*PLACE)).note == "ours"


async def test_one_setting_or_all_are_reset(store: Store) -> None:
    for words in ("note ours", "language ja", "people <@U7>", "length 99"):
        assert "Saved" in await told(store, words)
    await told(store, "reset people")
    chosen = await store.channels.settings(*PLACE)
    assert chosen == ChannelSettings(note="ours", language="ja", max_new_tokens=99)
    await told(store, "リセット")
    assert await store.channels.settings(*PLACE) == ChannelSettings()


async def test_a_wrong_name_or_no_value_is_told(store: Store) -> None:
    assert "There are: prompt, note" in await told(store, "colour blue")
    assert "There are: prompt, note" in await told(store, "reset colour")
    assert "what “note” should be" in await told(store, "note")


async def test_the_log_says_who_changed_what_and_when_and_mentions_nobody_else(
    store: Store,
) -> None:
    assert "Nobody has changed" in await told(store, "log")
    await told(store, "prompt Tell <!channel> @everyone", by="U1")
    await told(store, "temperature 0.5", by="U2")
    await told(store, "temperature 0.5", by="U3")  # nothing changes
    log = await told(store, "log")
    newest, oldest = log.splitlines()[1:]
    assert newest.endswith("<@U2>: temperature: – → 0.5")
    assert oldest.endswith("<@U1>: prompt: – → Tell ‹!channel› ＠everyone")
    assert f"{datetime.now(UTC):%Y-%m-}" in newest
    (entry, _) = await store.channels.log(limit=9)
    assert (entry.person, entry.setting, entry.before, entry.after) == (
        "U2", "temperature", "", "0.5",
    )  # fmt: skip


async def test_two_admins_who_change_different_settings_at_once_both_have_their_way(
    store: Store,
) -> None:
    read = await store.channels.settings(*PLACE)
    for changed_to in (replace(read, note="ours"), replace(read, temperature=0.5)):
        await store.channels.choose(*PLACE, changed_to, by="U1", since=read)
    assert await store.channels.settings(*PLACE) == replace(read, note="ours", temperature=0.5)
    assert [it.setting for it in await store.channels.log(*PLACE, limit=9)] == [
        "temperature",
        "note",
    ]


async def test_who_wants_to_be_forgotten_is_named_in_no_log(store: Store) -> None:
    await told(store, "note ours", by="U1")
    await told(store, "note yours", by="U2")
    await store.forget_author("slack", "T1", "U1")
    people = [it.person for it in await store.channels.log(*PLACE, limit=9)]
    assert people == ["U2", ""]
    assert "…: note: – → ours" in await told(store, "log")


async def test_who_wants_to_be_forgotten_stands_in_no_list_of_people(store: Store) -> None:
    await told(store, "people U1 U12 U2", by="U9")
    await store.forget_author("slack", "T1", "U1")
    assert (await store.channels.settings(*PLACE)).people == ("U12", "U2")
    await told(store, "people U2", by="U9")
    await store.forget_author("slack", "T1", "U2")
    assert (await store.channels.settings(*PLACE)).people == ("-",)  # and not everybody
    (last, first) = await store.channels.log(*PLACE, limit=9)
    assert (first.before, first.after, last.before, last.after) == ("", "U12", "U12", "-")


async def test_the_log_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.store.channels.LOG_KEPT", 3)
    for number in range(5):
        await told(store, f"note {number}")
    log = await store.channels.log(*PLACE, limit=9)
    assert [it.after for it in log] == ["4", "3", "2"]


async def test_a_change_that_cannot_be_written_into_the_log_is_not_made(store: Store) -> None:
    await told(store, "note First.")
    with fails_at(store, "settings_log"), pytest.raises(StoreFailed):
        await told(store, "note Second.")
    assert (await store.channels.settings(*PLACE)).note == "First."
    await told(store, "note Third.")
    assert [entry.after for entry in await store.channels.log(*PLACE, limit=9)] == [
        "Third.",
        "First.",
    ]


@pytest.mark.parametrize(
    "words", ["@ann", "ann ben", "<@&123456>", "<!subteam^S123>", "U1ANN @ben"]
)
def test_who_is_not_told_by_an_id_is_refused_and_locks_nobody_out(words: str) -> None:
    with pytest.raises(UserFacingError) as refused:
        changed(ChannelSettings(), SettingName.PEOPLE, words, models=MODELS)
    assert str(refused.value) == "setting_people_unknown"


async def test_presets_are_made_changed_listed_removed_and_reset(store: Store) -> None:
    assert "no presets of its own" in await told(store, "presets", is_admin=False)
    await told(store, "presets Hazards = List every hazard, <@U1>.")
    await told(store, "presets Prices = Read the prices.", by="U2")
    await told(store, "presets  hazards. = Only the worst one, <!channel> @everyone.")
    shown = await told(store, "presets", is_admin=False)
    assert "• hazards. = Only the worst one, ‹!channel› ＠everyone." in shown
    assert "• Prices = Read the prices." in shown
    assert "/llava settings presets" not in shown
    assert "presets: hazards., Prices (chosen" in await told(store, "show")
    await told(store, "presets PRICES =")
    assert "Prices" not in await told(store, "presets")
    history = await told(store, "history")
    assert "<@U2>: presets: Hazards → Hazards, Prices" in history
    await told(store, "reset presets")
    assert (await store.channels.settings(*PLACE)).presets == ()


async def test_only_admins_make_presets_and_a_channel_has_ten_at_most(store: Store) -> None:
    assert "Only admins" in await told(store, "presets Hazards = x", is_admin=False)
    assert (await store.channels.settings(*PLACE)).presets == ()
    for number in range(10):
        assert "Saved" in await told(store, f"presets p{number} = x")
    assert "at most 10 presets" in await told(store, "presets p10 = x")
    assert "Saved" in await told(store, "presets p3 = y")


def test_a_form_leaves_presets_as_they_are() -> None:
    now = ChannelSettings(note="old", presets=(("a", "b"),))
    sent = ChannelSettings(note="new")
    assert merged(sent, now, marks(now)) == replace(now, note="new")
