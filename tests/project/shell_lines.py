"""Lines of the documents' shell blocks that are not the project's own commands: who runs them."""

from __future__ import annotations

from typing import Final

SET_UP: Final = "tests/scenario/readme/test_set_up.py"
API: Final = "tests/scenario/api/test_document.py"
PLAYGROUND: Final = "tests/scenario/web/test_document.py"
COMPLETION: Final = "tests/scenario/terminal/test_completion.py"
SECRETS: Final = "tests/deploy/test_secrets.py"

RUN_BY: Final = {
    "cd llava-bot": SET_UP,
    "git clone ": SET_UP,
    ".venv/bin/pip install ": SET_UP,
    "source .venv/bin/activate": SET_UP,
    "curl -s http://127.0.0.1:8790/": API,
    "printf '{": API,
    "  tr ": API,
    "  curl -s http://127.0.0.1:8790/": API,
    "thread=$(curl -s -X POST localhost:8787/": PLAYGROUND,
    "curl -N -F ": PLAYGROUND,
    "source <(llava-bot completion bash)": COMPLETION,
    'eval "$(llava-bot completion zsh)"': COMPLETION,
    "install --directory ": SECRETS,
    "openssl rand ": SECRETS,
    "printf 'postgresql+asyncpg": SECRETS,
    "chmod 0444 deploy/secrets/": SECRETS,
}
"""How a line begins → the test that runs it."""

OURS_RUN_BY: Final = {
    "ask": "tests/scenario/terminal/test_asking_a_running_bot.py",
    "bench": "tests/scenario/terminal/test_bench_command.py",
    "chat": "tests/scenario/terminal/test_chat_terminal.py",
    "compare": "tests/scenario/terminal/test_compare_command.py",
    "completion": COMPLETION,
    "doctor": "tests/scenario/terminal/test_command_line.py",
    "evaluate scienceqa": "tests/scenario/terminal/test_evaluate_command.py",
    "evaluate vqa": "tests/unit/evaluation/test_running.py",
    "manifest discord": "tests/scenario/discord/test_setting_up.py",
    "manifest slack": "tests/scenario/slack/test_setting_up.py",
    "models": "tests/scenario/readme/test_outputs.py",
    "run": "tests/scenario/command.py",
    "setup": "tests/scenario/terminal/test_setting_up.py",
    "store audit": "tests/unit/store/test_exporting.py",
    "store backup": "tests/scenario/test_store_commands.py",
    "store feedback": "tests/unit/store/test_exporting.py",
    "store migrate": "tests/scenario/several/test_store_migrate.py",
    "store restore": "tests/scenario/test_store_commands.py",
    "store thread": "tests/unit/store/test_exporting.py",
}
"""Our own commands → a test that runs them; the arguments of every line are parsed besides."""

NOT_RUN: Final = {
    "docker build ": "it downloads gigabytes; hadolint reads the file, and its stages are checked",
    "docker run ": "it needs a container engine and a GPU",
    "docker compose ": "it needs a container engine; Compose's schema reads the file",
    "sudo ": "it changes the machine; systemd reads the unit, and its settings are checked",
    "systemctl --user ": "it changes the user's services; systemd reads the unit",
    "loginctl ": "it changes the user's services",
    "kubectl ": "it needs a cluster; Kubernetes' schemas read the manifests",
    "pg_dump ": "it is PostgreSQL's own, of the server's version",
    "rsync ": "it copies the operator's folders",
}
"""How a line begins → why no test runs it."""


def rules_for(line: str) -> list[str]:
    """The rules that a line falls under."""
    return [rule for rule in (*RUN_BY, *NOT_RUN) if line.startswith(rule)]
