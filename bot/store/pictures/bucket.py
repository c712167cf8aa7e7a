"""Pictures in a bucket of an S3-compatible store."""

from __future__ import annotations

import errno
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from bot.settings import revealed
from bot.store.pictures.files import PicturesUnusable, is_name
from bot.values.picture_places import PictureBucket

if TYPE_CHECKING:
    from obstore.store import S3Config

CONNECT_S = 5
REQUEST_S = 20
MAX_RETRIES = 3
RETRIES_S = 25
"""From the first request until no other is tried; a question's asker waits for it."""
OUT_OF_ROOM = frozenset({"QuotaExceeded", "XMinioStorageFull"})
WHY = {
    "AccessDenied": "these keys may not use it",
    "AuthorizationHeaderMalformed": "it is in another region: add ?region=… to the address",
    "InvalidAccessKeyId": "its store does not know this AWS_ACCESS_KEY_ID",
    "NoSuchBucket": "there is no such bucket: make it first",
    "PermanentRedirect": "it is in another region: add ?region=… to the address",
    "RequestTimeTooSkewed": "this machine's clock is wrong",
    "SignatureDoesNotMatch": "AWS_SECRET_ACCESS_KEY does not belong to AWS_ACCESS_KEY_ID",
}
"""S3's own names of errors. An answer's text is never shown: it quotes what was signed."""


class BucketFailed(OSError):
    """A request failed, after its retries; `args` hold nothing of what was sent or answered."""

    def __init__(self, status: int | None, code: str | None) -> None:
        super().__init__(f"S3: {code or status or 'no answer'}")
        self.status = status
        """Of HTTP; `None`: there was no answer."""
        self.code = code
        """S3's own, if it is one of those that we know."""
        if code in OUT_OF_ROOM:
            self.errno = errno.ENOSPC


class BucketFiles:
    """Pictures as objects. Deleting one in a bucket with versions leaves its bytes there."""

    is_shared = True

    def __init__(self, place: PictureBucket) -> None:
        """Raises: PicturesUnusable: the library is missing."""
        try:
            import obstore
            from obstore.exceptions import BaseError
            from obstore.store import S3Store
        except ImportError:
            raise PicturesUnusable(
                "PICTURES_URL: a bucket needs a further package: pip install 'llava-bot[s3]'"
            ) from None
        self._place = place
        self._errors: tuple[type[Exception], ...] = (BaseError, FileNotFoundError)
        self._library = obstore
        self._objects = S3Store(
            place.bucket,
            prefix=place.prefix or None,
            config=_config(place),
            client_options={
                "allow_http": (place.endpoint or "").startswith("http://"),
                "connect_timeout": timedelta(seconds=CONNECT_S),
                "timeout": timedelta(seconds=REQUEST_S),
            },
            retry_config={
                "max_retries": MAX_RETRIES,
                "retry_timeout": timedelta(seconds=RETRIES_S),
            },
        )

    def check(self) -> None:
        """Write an object and delete it. Raises: PicturesUnusable."""
        probe = f"llava-bot-check-{secrets.token_hex(8)}"
        try:
            self.write(probe, b"llava-bot")
            self.remove(probe)
        except BucketFailed as exc:
            reason = WHY.get(exc.code or "") or (
                f"it answers HTTP {exc.status}" if exc.status else "nothing answers there"
            )
            raise PicturesUnusable(
                f"PICTURES_URL: {self._place.url} cannot be used: {reason}."
            ) from None

    def write(self, name: str, data: bytes) -> None:
        """Put an object; it is there as a whole or not at all."""
        with self._failures():
            self._library.put(self._objects, name, data, use_multipart=False)

    def read(self, name: str) -> bytes:
        """Get an object's bytes."""
        with self._failures():
            return bytes(self._library.get(self._objects, name).bytes())

    def remove(self, name: str) -> None:
        """Delete an object."""
        with self._failures(), suppress(FileNotFoundError):
            self._library.delete(self._objects, name)

    def names(self, *, older_than_s: float) -> Iterator[list[str]]:
        """The names of the pictures' objects, as the store lists them."""
        before = datetime.now(UTC) - timedelta(seconds=older_than_s)
        with self._failures():
            for batch in self._library.list(self._objects):
                yield [
                    found["path"]
                    for found in batch
                    if found["last_modified"] <= before and is_name(found["path"])
                ]

    def remove_unfinished(self, *, older_than_s: float) -> None:
        """Nothing is ever unfinished."""

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except self._errors as exc:
            failure = _failure(str(exc))
            if isinstance(exc, FileNotFoundError) and failure.code is None:
                raise FileNotFoundError(errno.ENOENT, "no such object") from None
            raise failure from None


def _config(place: PictureBucket) -> S3Config:
    # Not every store knows how to delete many at once, and one at a time is what we do.
    config: S3Config = {"disable_bulk_delete": True}
    if place.endpoint is not None:
        config["endpoint"] = place.endpoint
        # Other stores want a region in the signature, and mostly take any.
        config["region"] = "us-east-1"
    if place.region is not None:
        config["region"] = place.region
    if (key := revealed(place.access_key_id)) is not None:
        config["access_key_id"] = key
    if (secret := revealed(place.secret_access_key)) is not None:
        config["secret_access_key"] = secret
    if (token := revealed(place.session_token)) is not None:
        config["session_token"] = token
    return config


def _failure(message: str) -> BucketFailed:
    """What a library's message says, without its words."""
    status = re.search(r"status(?: code)?: (?:Some\()?(\d{3})\b", message)
    code = re.search(r"<Code>(\w+)</Code>", message)
    known = code is not None and code[1] in {*WHY, *OUT_OF_ROOM}
    return BucketFailed(int(status[1]) if status else None, code[1] if code and known else None)
