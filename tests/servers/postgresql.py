"""A PostgreSQL server of the tests' own: Debian's, in a temporary directory, on 127.0.0.1."""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL

USER, PASSWORD = "bot", "pass word%"
START_S = 120
QUICK = {
    "fsync": "off",  # the tests end processes, never the machine
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "max_connections": "200",
}


PROGRAMS = "POSTGRES_BIN"
"""The environment variable that names a folder of programs, where Debian's are not installed."""


def installed() -> Path | None:
    """The folder of the server's programs, by default the newest; `None`: there is none."""
    if named := os.environ.get(PROGRAMS):
        return Path(named)
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=_version)
    if found:
        return found[-1].parent
    program = shutil.which("postgres")
    return None if program is None else Path(program).parent


def _version(program: Path) -> float:
    return float(program.parents[1].name)


class PostgresqlServer:
    """A running server. Its methods block."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self._folder = folder
        self._programs = programs
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._num_databases = 0

    def url(self, database: str = "postgres", **changes: object) -> URL:
        """The address of a database."""
        url = URL.create("postgresql+asyncpg", USER, PASSWORD, "127.0.0.1", self._port, database)
        return url.set(**changes)  # type: ignore[arg-type]

    def make(self) -> None:
        """Make the cluster's files."""
        secret = self._folder / "secret"
        secret.write_text(PASSWORD)
        if (user := _user()) is not None:
            shutil.chown(secret, user)
        self._run(
            "initdb", "--pgdata", self._data, "--username", USER, "--pwfile", secret,
            "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync",
        )  # fmt: skip

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = [part for name, value in QUICK.items() for part in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as printed:
            self._process = subprocess.Popen(
                [
                    self._programs / "postgres", "-D", self._data, "-h", "127.0.0.1",
                    "-p", str(self._port), "-k", self._folder, *settings,
                ],
                user=_user(), stdout=subprocess.DEVNULL, stderr=printed, start_new_session=True,
            )  # fmt: skip
        until = time.monotonic() + START_S
        while not self._answers():
            if time.monotonic() > until or self._process.poll() is not None:
                raise RuntimeError((self._folder / "log").read_text())
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it at once; connections are cut."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(30)
            self._process = None

    def execute(self, *statements: str, database: str = "postgres") -> str:
        """Run statements, each for itself, as the superuser. Returns: what they printed."""
        words = [part for statement in statements for part in ("-c", statement)]
        return self._run(
            "psql", "-h", self._folder, "-p", str(self._port), "-U", USER, "-d", database,
            "-qtAX", "-v", "ON_ERROR_STOP=1", *words,
        )  # fmt: skip

    def new_database(self, options: str = "") -> URL:
        """The address of a fresh database, without a table."""
        self._num_databases += 1
        name = f"test{self._num_databases}"
        self.execute(f"CREATE DATABASE {name} {options}")
        return self.url(name)

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _answers(self) -> bool:
        ready = [str(self._programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self._port)]
        return subprocess.run(ready, check=False).returncode == 0

    def _run(self, program: str, *arguments: str | Path) -> str:
        done = subprocess.run(
            [str(self._programs / program), *map(str, arguments)],
            check=False,
            user=_user(),
            capture_output=True,
            text=True,
            env=os.environ | {"PGPASSWORD": PASSWORD},
            cwd=self._folder,
        )
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout.strip()


@contextmanager
def running_postgresql() -> Iterator[PostgresqlServer]:
    """A server with nothing in it. Raises: FileNotFoundError: none is installed."""
    programs = installed()
    if programs is None:
        raise FileNotFoundError("PostgreSQL")
    with tempfile.TemporaryDirectory(prefix="llava-bot-postgresql-") as name:
        folder = Path(name)
        if (user := _user()) is not None:
            shutil.chown(folder, user)
        server = PostgresqlServer(folder, programs)
        server.make()
        try:
            server.start()
            yield server
        finally:
            server.stop()


def _user() -> str | None:
    """The server does not run as root: who runs it then; `None`: the user who runs the tests."""
    if getpass.getuser() != "root" and os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
