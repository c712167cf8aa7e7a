"""Settings: typed, all problems at once, and documented in full."""

from __future__ import annotations

import codecs
import os
import re
import socket
import threading
from pathlib import Path

import pytest

from bot.configuration import load_configuration, read_configuration, setting_groups, variables
from bot.errors import ConfigurationError
from bot.home import ensure_home
from bot.platforms.slack.settings import SlackSettings
from bot.platforms.web.settings import PlaygroundSettings, is_loopback
from bot.setting_problems import Setting, problem
from bot.settings import Settings, SettingsGroup, choices_of, revealed
from tests.settings_documents import outdated, sections

ROOT = Path(__file__).parents[3]


pytestmark = pytest.mark.usefixtures("clean_environment")


def load_settings(**arguments: object) -> Settings:
    return load_configuration(**arguments).bot


def load_playground(**arguments: object) -> PlaygroundSettings:
    return load_configuration(**arguments).of(PlaygroundSettings)


def test_by_default_the_pocket_model_answers_on_this_machine_only() -> None:
    assert load_settings().model == "pocket"
    assert load_settings().data_dir.name == "llava-bot"
    assert (load_playground().host, load_playground().port) == ("127.0.0.1", 8787)


def test_arguments_override_the_environment_which_overrides_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path(".env").write_text("MODEL=file\nPLAYGROUND_PORT=1\nMAX_WAITING=7\n")
    monkeypatch.setenv("MODEL", "environment")
    monkeypatch.setenv("PLAYGROUND_PORT", "2")
    configuration = load_configuration(playground_port=3, model=None)
    assert configuration.of(PlaygroundSettings).port == 3
    assert (configuration.bot.model, configuration.bot.max_waiting) == ("environment", 7)


def test_the_playgrounds_former_names_are_still_read(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("LLAVA_BOT_HOST=192.0.2.1\nPLAYGROUND_PORT=1\n")
    monkeypatch.setenv("LLAVA_BOT_PASSWORD", "some-secret")
    monkeypatch.setenv("LLAVA_BOT_PORT", "2")
    playground = load_playground()
    assert (playground.host, revealed(playground.password)) == ("192.0.2.1", "some-secret")
    assert playground.port == 2  # the environment wins over the file, whatever the name
    monkeypatch.setenv("PLAYGROUND_PORT", "3")
    assert load_playground().port == 3
    monkeypatch.setenv("PLAYGROUND_PORT", "")
    assert load_playground().port == 2
    assert load_playground(playground_port=4).port == 4


def test_a_problem_is_reported_under_the_name_that_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAVA_BOT_PORT", "99999")
    with pytest.raises(ConfigurationError, match=r"^LLAVA_BOT_PORT: .+99999"):
        load_settings()


def test_a_group_constructed_directly_ignores_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SLACK_APP_TOKEN", "xapp-of-this-machine")
    Path(".env").write_text("SLACK_BOT_TOKEN=xoxb-of-this-folder\n")
    settings = SlackSettings.model_validate({})
    assert (settings.bot_token, settings.app_token) == (None, None)


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPERATURE", "")
    assert load_settings().temperature is None


def test_every_problem_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUANTIZE", "int3")
    monkeypatch.setenv("PLAYGROUND_PORT", "99999")
    monkeypatch.setenv("PLAYGROUND_HOST", "192.0.2.1")
    monkeypatch.setenv("SLACK_HTTP_PORT", "x")
    monkeypatch.setenv("DISCORD_RESOLVE_TO", "nowhere")
    with pytest.raises(ConfigurationError) as problems:
        load_settings()
    lines = str(problems.value).splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "QUANTIZE",
        "PLAYGROUND_PORT",
        "PLAYGROUND_PASSWORD",
        "SLACK_HTTP_PORT",
        "DISCORD_RESOLVE_TO",
    ]
    assert "'int3'" in lines[0]


def test_a_broken_line_hides_no_other_problem_and_the_rest_can_be_read() -> None:
    Path(".env").write_text(
        "MODEL: x\nMODLE=x\nMAX_WAITING=many\nTEMPERATURE=0.5\nPLAYGROUND_HOST=192.0.2.1\n"
    )
    with pytest.raises(ConfigurationError) as problems:
        load_settings()
    said = str(problems.value).splitlines()
    assert [line.split(":")[0].split(", which")[0] for line in said] == [
        ".env, line 2, has MODLE",
        ".env, line 1",
        "MAX_WAITING",
        "PLAYGROUND_PASSWORD",
    ]
    read = read_configuration()
    assert [*read.unknown, *read.problems] == said
    assert read.bot.temperature == 0.5
    assert read.bot.max_waiting == Settings.model_validate({}).max_waiting
    assert read.of(PlaygroundSettings).host == "127.0.0.1"  # alone it cannot be used


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("QUANTIZE", "int3", "it can be none, int8 or nf4 (it is 'int3' {}): did you mean int8?"),
        ("LOG_LEVEL", "verbose", "it can be DEBUG, INFO, WARNING or ERROR (it is 'verbose' {})."),
        ("FETCH_LINKS", "perhaps", "it can be yes or no (also on or off, true or false, 1 or 0) ("),
        ("MAX_WAITING", "many", "it must be a whole number (it is 'many' {})."),
        ("MAX_NEW_TOKENS", "0", "it must be at least 1 (it is '0' {})."),
        ("PLAYGROUND_PORT", "99999", "it must be at most 65535 (it is '99999' {})."),
        ("TEMPERATURE", "warm", "it must be a number (it is 'warm' {})."),
    ],
)
def test_a_wrong_value_is_told_with_what_it_can_be_and_where_it_was_set(
    name: str, value: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(".env").write_text(f"# mine\n\n{name}={value}\n")
    with pytest.raises(ConfigurationError) as problems:
        load_settings()
    assert str(problems.value).startswith(f"{name}: {sentence.format('in .env, line 3')}")
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as problems:
        load_settings()
    assert str(problems.value).startswith(f"{name}: {sentence.format('in the environment')}")


def test_a_secret_is_not_quoted_when_it_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    setting = Setting(variable="SLACK_BOT_TOKEN", value="xoxb-planted", origin="in .env, line 1")
    said = problem(setting, {"type": "value_error", "msg": "Value error, it is none"})
    assert said == "SLACK_BOT_TOKEN: it is none (set in .env, line 1)."


def test_words_and_answers_are_understood_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    for group in setting_groups():
        for name, field in group.model_fields.items():
            for word in choices_of(field.annotation):
                assert getattr(group.model_validate({name: f" {word.swapcase()} "}), name) == word
    monkeypatch.setenv("LOG_LEVEL", "debug")
    assert load_settings().log_level == "DEBUG"
    for yes, no in (("yes", "No"), ("ON", "off"), ("1", "0"), ("True", "FALSE")):
        assert Settings.model_validate({"fetch_links": yes}).fetch_links
        assert not Settings.model_validate({"fetch_links": no}).fetch_links


UTF_8 = "save it as UTF-8."
LINE = "it is not NAME=value"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            "MODEL=möbel\n".encode("utf-16"),
            [f".env is UTF-16 (PowerShell's `>` writes that): {UTF_8}"],
        ),
        (
            "MODEL=x\n".encode("utf-16-be"),
            [f".env is UTF-16 (PowerShell's `>` writes that): {UTF_8}"],
        ),
        ("MODEL=möbel\n".encode("utf-32"), [f".env is UTF-32: {UTF_8}"]),
        ("MODEL=家具\n".encode("utf-32-le"), [f".env is UTF-32: {UTF_8}"]),
        (codecs.BOM_UTF32_BE + "MODEL=家具\n".encode("utf-32-be"), [f".env is UTF-32: {UTF_8}"]),
        ("MODEL=möbel\n".encode("latin-1"), [f".env is not UTF-8 text: {UTF_8}"]),
        ("MODEL=家具\n".encode("shift-jis"), [f".env is not UTF-8 text: {UTF_8}"]),
        (b"MODEL=a-long-enough-name\0\n", [f".env holds NUL bytes: {UTF_8}"]),
        (b"\n\nSLACK_BOT_TOKEN secret\n", [f".env, line 3: {LINE}"]),
        (b'MODEL="secret\nMAX_WAITING=3\n', [f".env, line 1: {LINE}"]),
        (
            b"=secret\r\n\r\n# fine\r\nMODEL: secret\r\n",
            [f".env, line 1: {LINE}", f".env, line 4: {LINE}"],
        ),
    ],
)
def test_a_file_that_cannot_be_understood_is_named_and_never_quoted(
    written: bytes, said: list[str]
) -> None:
    Path(".env").write_bytes(written)
    with pytest.raises(ConfigurationError) as problems:
        load_settings()
    lines = str(problems.value).splitlines()
    assert len(lines) == len(said)
    for line, begin in zip(lines, said, strict=True):
        assert line.startswith(begin)
        assert "secret" not in line


@pytest.mark.parametrize(
    "written",
    [
        "MODEL=möbel\n".encode("utf-8-sig"),  # Notepad's
        b"\xef\xbb\xbfexport MODEL='m\xc3\xb6bel'\r\n",
        b"# a comment\rMODEL=m\xc3\xb6bel # another\rNOT_OURS\r",
        b"NAME=bel\nMODEL=m\xc3\xb6${NAME}",
    ],
)
def test_every_common_way_of_writing_the_file_is_understood(written: bytes) -> None:
    Path(".env").write_bytes(written)
    assert load_settings().model == "möbel"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_value_of_several_lines_is_the_same_from_every_editor(end: str) -> None:
    written = f'SYSTEM_PROMPT="Be brief.{end}Be kind."{end}'
    Path(".env").write_bytes(written.encode())
    assert load_settings().system_prompt == "Be brief.\nBe kind."


def test_a_file_that_cannot_be_read_is_named() -> None:
    Path(".env").symlink_to(".env")
    with pytest.raises(ConfigurationError, match=r"^\.env is a symbolic link that leads back to"):
        load_settings()
    Path(".env").unlink()
    Path(".env").mkdir()
    with pytest.raises(ConfigurationError, match=r"^\.env is a folder: remove it"):
        load_settings()


def test_a_pipe_in_place_of_the_file_is_read_once() -> None:
    os.mkfifo(".env")  # as password managers do
    writer = threading.Thread(target=Path(".env").write_text, args=("MODEL=piped\n",))
    writer.start()
    assert load_settings().model == "piped"
    writer.join()


def test_a_pipe_that_nobody_writes_to_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bot.env_file.PIPE_WAIT_S", 0.2)
    os.mkfifo(".env")
    with pytest.raises(ConfigurationError, match=r"^\.env is a pipe, and nothing was written"):
        load_settings()


def test_what_is_neither_a_file_nor_a_pipe_is_never_read() -> None:
    Path(".env").symlink_to("/dev/zero")  # it never ends
    with pytest.raises(ConfigurationError, match=r"^\.env is neither a file nor a pipe: remove"):
        load_settings()
    Path(".env").unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(".env")
        with pytest.raises(ConfigurationError, match=r"^\.env is neither a file nor a pipe"):
            load_settings()
    Path(".env").unlink()
    Path(".env").symlink_to(os.devnull)  # as one says that there is none
    load_settings()


@pytest.fixture
def nobodys_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for a user id that stands in no passwd file."""

    def unknown(_user: object) -> None:
        raise KeyError

    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", unknown)
    monkeypatch.setattr("pwd.getpwnam", unknown)


@pytest.mark.parametrize(
    ("data_dir", "sentence"),
    [
        ("", "DATA_DIR: this user has no home directory: set DATA_DIR to a folder, or set HOME."),
        ("~/data", "DATA_DIR: this user has no home directory: set DATA_DIR to a folder, or"),
        ("~nobody-knows/data", "DATA_DIR: there is no home directory ~nobody-knows ("),
    ],
)
def test_a_user_without_a_home_is_told_what_to_set(
    data_dir: str, sentence: str, nobodys_home: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_DIR", data_dir)
    with pytest.raises(ConfigurationError) as problem:
        load_settings()
    assert str(problem.value).startswith(sentence)
    monkeypatch.setenv("DATA_DIR", "/srv/llava-bot")
    assert load_settings().data_dir == Path("/srv/llava-bot")


def test_a_user_without_a_home_gets_one_in_the_data_directory(
    nobodys_home: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", "")  # it is taken away again afterwards
    monkeypatch.delenv("HOME")
    ensure_home(Path("data"))
    assert Path.home() == tmp_path / "data"
    ensure_home(Path("other"))
    assert Path.home() == tmp_path / "other"  # the first was never made
    Path("other").mkdir()
    ensure_home(Path("third"))
    assert Path.home() == tmp_path / "other"


def test_a_home_that_comes_with_a_cache_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    (home / ".cache").mkdir()
    ensure_home(tmp_path)
    assert Path.home() == home
    (home / ".cache").rmdir()
    ensure_home(tmp_path)
    assert Path.home() == tmp_path


def test_a_password_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAYGROUND_PASSWORD", "hunter2hunter2")
    assert "hunter2" not in repr(load_playground())


def test_a_playground_for_others_needs_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="PLAYGROUND_PASSWORD: it is needed when"):
        load_playground(playground_host="192.0.2.1")
    monkeypatch.setenv("PLAYGROUND_PASSWORD", "1234567")
    with pytest.raises(ConfigurationError, match="PASSWORD: it must have at least 8 characters"):
        load_playground(playground_host="192.0.2.1")
    monkeypatch.setenv("PLAYGROUND_PASSWORD", "12345678")
    assert load_playground(playground_host="192.0.2.1")


@pytest.mark.parametrize(
    ("host", "is_it"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("192.0.2.1", False), ("box", False)],
)
def test_is_loopback_for_addresses_of_this_machine_only(host: str, is_it: bool) -> None:
    assert is_loopback(host) is is_it


def test_the_page_of_settings_and_the_example_file_are_up_to_date() -> None:
    assert outdated() == [], "run `python -m tests.settings_documents --write`"


def test_the_documents_list_every_setting_once() -> None:
    listed = [row.variable for section in sections().values() for row in section]
    assert listed == variables()
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert re.findall(r"^# ?([A-Z_]+)=", example, re.MULTILINE) == variables()


def test_every_setting_without_a_default_has_an_example() -> None:
    rows = [row for section in sections().values() for row in section]
    assert [row.variable for row in rows if not row.default and not row.example] == []


@pytest.mark.parametrize("group", setting_groups())
def test_every_example_is_a_value_that_the_setting_takes(group: type[SettingsGroup]) -> None:
    examples = {
        name: field.examples[0] for name, field in group.model_fields.items() if field.examples
    }
    several = {name: examples.pop(name) for name in ("models",) if name in examples}
    assert group.model_validate(examples)
    assert group.model_validate(several)  # in place of `model`


def test_several_models_have_names_and_a_precision_of_their_own() -> None:
    settings = load_settings(
        models="Quick=pocket, good=Qwen/Qwen3-VL-8B-Instruct:nf4,plain=owner/name", quantize="int8"
    )
    specs = settings.model_specs
    assert {name: (spec.name, spec.quantize) for name, spec in specs.items()} == {
        "quick": ("pocket", "int8"),
        "good": ("Qwen/Qwen3-VL-8B-Instruct", "nf4"),
        "plain": ("owner/name", "int8"),
    }
    assert settings.model_spec == specs["quick"]
    assert list(load_settings(model="owner/name").model_specs) == [""]


@pytest.mark.parametrize(
    ("models", "problem"),
    [
        ("pocket", "it has the form name=model,name=model"),
        ("a=", "it has the form"),
        ("a=pocket,A=owner/name", "two models are called a"),
        ("a b=pocket", "a name has letters"),
        ("a=pockt", "Did you mean pocket?"),
    ],
)
def test_models_that_cannot_be_are_named(models: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match="MODELS: ") as refused:
        load_settings(models=models)
    assert problem in str(refused.value)


def test_one_model_and_several_are_not_set_together() -> None:
    with pytest.raises(ConfigurationError, match="MODELS: MODEL is set too"):
        load_settings(model="owner/name", models="a=pocket")


def test_the_address_of_a_database_is_a_secret_also_where_it_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://bot:hunter2@db/bot")
    with pytest.raises(ConfigurationError, match=r"it must begin with postgresql") as failed:
        load_settings()
    assert "hunter2" not in str(failed.value)
    monkeypatch.setenv("DATABASE_URL", "postgresql+asyncpg://bot:hunter2@db/bot")
    assert "hunter2" not in f"{load_settings()!r}"
