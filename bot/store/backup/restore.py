"""From a backup into an empty folder.

Everything is copied and compared beside its place first. The database takes its place last: until
then there is no store there, and the same command begins again.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout
from sqlalchemy import URL, Connection, create_engine, select, update

from bot.errors import CommandFailed, UserFacingError
from bot.private_files import DATABASE, FILE, LOCK, RESTORING, SESSION_KEY, OpenToOthers, protect
from bot.store.backup.backup import Progress, check, sync_folder
from bot.store.backup.manifest import PICTURES, Manifest, chunks_of, digested, newer, write_file
from bot.store.database.migrating import is_known_version
from bot.store.database.sqlite import migrate
from bot.store.pictures.files import MARKER, PictureFiles
from bot.store.pictures.opening import open_picture_files
from bot.store.rows import now
from bot.store.schema import identity, inbox, turns
from bot.values.messages import IncomingMessage, Outcome
from bot.values.picture_places import PicturePlace

OCCUPIED: Final = (DATABASE, PICTURES, SESSION_KEY)
UNFINISHED_TURN: Final = "shutting_down"
"""The sentence of a question that the backed-up bot was still answering."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored."""

    folder: Path
    num_pictures: int
    made_at: str
    num_ended: int
    """Questions that were being answered when the backup was made."""

    def summary(self) -> list[str]:
        """For the operator, a line each."""
        what = (
            f"Restored to {self.folder}, and compared: the database and {self.num_pictures} "
            f"pictures, as they were at {self.made_at}. Start the bot."
        )
        lines = [what]
        if self.num_ended:
            lines.append(
                f"{self.num_ended} questions were being answered then; they are not answered again."
            )
        return lines


def restore(
    source: Path, folder: Path, place: PicturePlace | None, *, progress: Progress
) -> Restored:
    """Put a backup into a folder that has no store. Blocking.

    Args:
        source: what `back_up` has made.
        folder: the bot's `DATA_DIR`; models and a `.env` may be there.
        place: where pictures are to be kept, if not in the folder.

    Raises:
        CommandFailed: there is no store in the folder, as before; one sentence.
    """
    manifest = Manifest.read(source)
    if not is_known_version(manifest.schema):
        raise CommandFailed(newer(source))
    try:
        protect(folder)
        with _alone_in(folder):
            return _restore(source, folder, place, manifest, progress)
    except OpenToOthers as exc:
        raise CommandFailed(f"DATA_DIR: {exc}") from None
    except OSError as exc:
        raise CommandFailed(
            f"The backup could not be restored to {folder} ({exc.strerror or type(exc).__name__}). "
            "There is no store there, as before, and the same command begins again."
        ) from None


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    running = FileLock(folder / LOCK, mode=FILE)
    try:
        running.acquire(blocking=False)
    except Timeout:
        raise CommandFailed(f"A bot runs on {folder}: stop it first.") from None
    try:
        yield
    finally:
        running.release()


def _restore(
    source: Path,
    folder: Path,
    place: PicturePlace | None,
    manifest: Manifest,
    progress: Progress,
) -> Restored:
    _clear_interrupted(folder)
    if found := [name for name in OCCUPIED if (folder / name).exists()]:
        raise CommandFailed(
            f"{folder} is not empty ({found[0]} is there): move it away, or set DATA_DIR to "
            "another folder."
        )
    check(source, manifest, progress)
    try:
        return _put_in_place(source, folder, place, manifest, progress)
    except (Exception, KeyboardInterrupt):
        _clear_interrupted(folder)  # it is everybody's data, and no erasure would reach it
        raise


def _put_in_place(
    source: Path,
    folder: Path,
    place: PicturePlace | None,
    manifest: Manifest,
    progress: Progress,
) -> Restored:
    beside = folder / RESTORING
    for name, file in manifest.files.items():
        write_file(beside / name, chunks_of(source / name))
        if digested(beside / name) != file:
            raise CommandFailed(f"{name} is not the same after it was copied to {folder}.")
        progress("restored", 1, len(manifest.files))
    num_ended = _brought_up_to_date(beside / DATABASE, manifest)
    num_pictures = sum(name.startswith(f"{PICTURES}/") for name in manifest.files)
    if place is not None:
        files = open_picture_files(place)
        _check_whose(files, beside / DATABASE)
        _move_elsewhere(beside, files)
    for name in (PICTURES, SESSION_KEY, DATABASE):
        if (beside / name).exists():
            (beside / name).rename(folder / name)
            sync_folder(folder)
    shutil.rmtree(beside)
    return Restored(folder, num_pictures, manifest.made_at, num_ended)


def _clear_interrupted(folder: Path) -> None:
    """Remove what a restore that was killed has left; the database came last, so there is none."""
    beside = folder / RESTORING
    if not beside.exists():
        return
    if (beside / DATABASE).exists() and not (folder / DATABASE).exists():
        for name in (PICTURES, SESSION_KEY):
            if (folder / name).is_dir():
                shutil.rmtree(folder / name)
            else:
                (folder / name).unlink(missing_ok=True)
    shutil.rmtree(beside)


def _check_whose(files: PictureFiles, database: Path) -> None:
    """Raises: CommandFailed: the place is another database's, whose sweep would remove these."""
    try:
        whose = files.read(MARKER).decode(errors="replace").strip()
    except FileNotFoundError:
        return
    with _opened(database) as connection:
        ours = connection.execute(select(identity.c.id)).scalar_one_or_none()
    if whose != ours:
        raise CommandFailed(
            "PICTURES_URL: pictures of another database are kept there, and two would remove each "
            "other's: name a folder or a prefix of its own. Nothing was restored."
        )


def _move_elsewhere(beside: Path, files: PictureFiles) -> None:
    """Put the pictures where `PICTURES_URL` says; those that are there stay as they are."""
    for path in sorted((beside / PICTURES).glob("*/*")):
        files.write(f"{path.parent.name}/{path.name}", path.read_bytes())
    shutil.rmtree(beside / PICTURES, ignore_errors=True)


def _brought_up_to_date(database: Path, manifest: Manifest) -> int:
    """Migrate, and end what a running bot was answering. Returns: how many questions that is."""
    migrate(database)
    if not manifest.while_running:
        return 0  # what had not ended is answered at the next start, as after any stop
    with _opened(database) as connection:
        return _end_unfinished(connection)


@contextmanager
def _opened(database: Path) -> Iterator[Connection]:
    engine = create_engine(URL.create("sqlite", database=str(database)), hide_parameters=True)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def _end_unfinished(connection: Connection) -> int:
    unfinished = connection.execute(
        select(inbox.c.id, inbox.c.thread_id, inbox.c.message, inbox.c.incoming).where(
            inbox.c.ended_at.is_(None)
        )
    ).all()
    refusal = UserFacingError(UNFINISHED_TURN)
    for row in unfinished:
        connection.execute(update(inbox).where(inbox.c.id == row.id).values(ended_at=now()))
        if not row.incoming:
            continue
        asked = IncomingMessage.from_json(row.incoming)
        connection.execute(
            update(turns)
            .where(
                turns.c.thread_id == row.thread_id,
                turns.c.message == row.message,
                turns.c.answer.is_(None),
            )
            .values(
                state=Outcome.REFUSED,
                answer=refusal.sentence(asked.locale),
                may_pass=refusal.may_pass,
            )
        )
    return len(unfinished)
