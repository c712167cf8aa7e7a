"""Arguments: every setting has one, and the usual ones are understood."""

from __future__ import annotations

import argparse
import functools
from pathlib import Path
from typing import Any

import pytest

from bot import cli
from bot.arguments import build_parser
from bot.configuration import load_configuration, setting_groups, variables
from bot.settings import Settings, choices_of

COMMON = [name.upper() for name in Settings.model_fields]
CHOICES = {
    f"{group.prefix}{name.upper()}": choices_of(field.annotation)
    for group in setting_groups()
    for name, field in group.model_fields.items()
}
COMMANDS = [
    (command, variable) for command in ("run", "setup", "doctor") for variable in variables()
] + [(command, variable) for command in ("ask", "chat", "bench") for variable in COMMON]
POSITIONAL = {"ask": ["a.jpg", "What?"]}


@pytest.fixture(autouse=True)
def without_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for variable in variables():
        monkeypatch.delenv(variable, raising=False)


parser = functools.cache(build_parser)


def parse(*arguments: str) -> argparse.Namespace:
    return parser().parse_args(arguments)


def option_of(variable: str) -> str:
    return f"--{variable.lower().replace('_', '-')}"


@pytest.mark.parametrize(("command", "variable"), COMMANDS)
def test_every_setting_has_an_argument_of_its_name(command: str, variable: str) -> None:
    for value in (*CHOICES[variable], "7", ""):
        words = [option_of(variable), *filter(None, [value])]
        try:
            arguments = parse(command, *POSITIONAL.get(command, []), *words)
        except SystemExit:
            continue  # not a value of this setting
        assert cli._settings_in(arguments)[variable.lower()] is not None
        return
    pytest.fail(f"no value of {variable} is understood")


def loaded(*arguments: str) -> dict[str, Any]:
    configuration = load_configuration(**cli._settings_in(parse(*arguments)))
    return {
        f"{group.prefix}{name.upper()}": getattr(configuration.of(group), name)
        for group in setting_groups()
        for name in group.model_fields
    }


@pytest.mark.parametrize(
    ("words", "variable", "value"),
    [
        (["run", "--model-path", "x"], "MODEL", "x"),
        (["run", "--revision", "v1"], "MODEL_REVISION", "v1"),
        (["run", "--load-4bit"], "QUANTIZE", "nf4"),
        (["bench", "--load-8bit"], "QUANTIZE", "int8"),
        (["run", "--quantize", "NF4"], "QUANTIZE", "nf4"),
        (["run", "--host", "::1"], "PLAYGROUND_HOST", "::1"),
        (["run", "--port", "9000"], "PLAYGROUND_PORT", 9000),
        (["run", "--log-level", "debug"], "LOG_LEVEL", "DEBUG"),
        (["run", "--no-fetch-links"], "FETCH_LINKS", False),
        (["run", "--slack-teams", "T1,T2"], "SLACK_TEAMS", {"T1", "T2"}),
        (["run", "--devices", "cuda:0,cuda:1"], "DEVICES", ("cuda:0", "cuda:1")),
    ],
)
def test_other_names_and_forms_are_understood(words: list[str], variable: str, value: Any) -> None:
    assert loaded(*words)[variable] == value


def test_an_argument_that_is_not_given_leaves_the_environment_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FETCH_LINKS", "false")
    monkeypatch.setenv("MODEL", "from/environment")
    settings = loaded("run", "--port", "1")
    assert settings["FETCH_LINKS"] is False
    assert settings["MODEL"] == "from/environment"
    assert loaded("run", "--fetch-links")["FETCH_LINKS"] is True


@pytest.mark.parametrize("words", [["--load-4bit", "--load-8bit"], ["--quantize", "int8"]])
def test_two_widths_of_weights_contradict_each_other(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse("run", *words, "--load-4bit", "--load-8bit")
    assert "not allowed with argument" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["run", "ask", "chat", "doctor", "bench"])
def test_help_lists_the_settings_in_sections_and_errors_stay_short(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse(command, "--help")
    shown = capsys.readouterr().out
    titles = [line for line in shown.splitlines() if line.startswith("settings: ")]
    assert titles[: len(Settings.sections)] == [f"settings: {name}:" for name in Settings.sections]
    assert "`" not in shown.partition("settings: ")[2]
    with pytest.raises(SystemExit):
        parse(command, "--no-such-argument")
    assert capsys.readouterr().err.count("\n") <= 2


def test_every_section_begins_at_a_setting_and_the_first_at_the_first() -> None:
    fields = list(Settings.model_fields)
    beginnings = [fields.index(name) for name in Settings.sections.values()]
    assert beginnings == sorted(beginnings)
    assert beginnings[0] == 0


@pytest.mark.parametrize(
    "words",
    [
        ["a.jpg", "b.jpg", "Which?"],
        ["a.jpg", "--json", "b.jpg", "Which?"],
        ["--json", "a.jpg", "b.jpg", "--model", "x", "Which?"],
    ],
)
def test_the_last_word_is_the_question_wherever_options_stand(words: list[str]) -> None:
    arguments = parse("ask", *words)
    assert (arguments.picture, arguments.question) == (["a.jpg", "b.jpg"], "Which?")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["a.jpg"], "required: QUESTION"),
        (["a.jpg", ""], "QUESTION: it is empty: what would you like to know?"),
        (["a.jpg", " \n"], "QUESTION: it is empty: what would you like to know?"),
    ],
)
def test_a_missing_or_empty_question_is_asked_for(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        parse("ask", *words)
    assert exit_.value.code == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_the_version_is_told(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        parse(option)
    assert exit_.value.code == 0
    version = capsys.readouterr().out.strip()
    assert version.startswith("llava-bot ")
    with pytest.raises(SystemExit):
        parse("--help")
    assert version in capsys.readouterr().out


@pytest.mark.parametrize(
    ("word", "meant"), [("aks", "ask"), ("docter", "doctor"), ("rnu", "run"), ("zebra", None)]
)
def test_a_misspelt_command_is_told_with_the_one_that_was_meant(
    word: str, meant: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        build_parser().parse_args([word])
    told = capsys.readouterr().err
    assert f"invalid choice: '{word}'" in told
    assert told.endswith(f"did you mean {meant}?\n") == (meant is not None)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["run", "--prot", "3"], "unrecognized arguments: --prot 3: did you mean --port?"),
        (["run", "--prot=3"], "unrecognized arguments: --prot=3: did you mean --port?"),
        (["ask", "--hlep"], "unrecognized arguments: --hlep: did you mean --help?"),
        (["ask", "a.jpg", "--josn", "What?"], "arguments: --josn: did you mean --json?"),
        (["models", "24", "--memroy"], "arguments: 24 --memroy: did you mean --memory?"),
        (["doctor", "--zebra"], "unrecognized arguments: --zebra"),
        (["doctor", "zebra"], "unrecognized arguments: zebra"),
        (["ask", "--", "--hlep"], "QUESTION"),
    ],
)
def test_a_misspelt_option_is_told_with_the_one_that_was_meant_and_the_usage_of_its_command(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(*words)
    assert ended.value.code == 2
    usage, sentence = capsys.readouterr().err.splitlines()
    assert usage.startswith(f"usage: llava-bot {words[0]} ")
    assert sentence.endswith(told)


def test_a_misspelt_option_before_the_command_is_told_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        parse("--verison")
    assert capsys.readouterr().err.endswith("--verison: did you mean --version?\n")


def test_a_question_that_begins_with_dashes_is_a_question() -> None:
    assert parse("ask", "a.jpg", "--what is it?").question == "--what is it?"


def test_without_a_command_there_is_help_and_the_code_of_wrong_arguments(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main([]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "COMMAND" in shown.err
    assert "ask one question" in shown.err
