"""Where pictures are kept, as `PICTURES_URL` says it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import SecretStr

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_OPTIONS = frozenset({"endpoint", "region"})


@dataclass(frozen=True, slots=True)
class PictureFolder:
    """A directory."""

    path: Path
    is_shared: bool = False
    """Other processes, perhaps of other machines, write into it too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureBucket:
    """A bucket of an S3-compatible store; always shared."""

    bucket: str
    prefix: str = ""
    """Without a slash at either end."""
    endpoint: str | None = None
    """``https://host[:port]``; `None`: Amazon's own for the region."""
    region: str | None = None
    access_key_id: SecretStr | None = field(default=None, repr=False)
    """Without keys they come from where AWS' tools find them: a role, a container, a token file."""
    secret_access_key: SecretStr | None = field(default=None, repr=False)
    session_token: SecretStr | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """For messages: nothing secret is in it."""
        return "/".join(part for part in (f"s3://{self.bucket}", self.prefix) if part)


PicturePlace: TypeAlias = PictureFolder | PictureBucket


def parse_pictures_url(url: str) -> PicturePlace:
    """Understand `PICTURES_URL`. Raises: ValueError: one sentence that says what it must be."""
    try:
        parts = urlsplit(url)
        options = parse_qs(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise ValueError("it must be file:///folder or s3://bucket/prefix") from None
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        # The address is shown in messages, so nothing secret may be in it.
        raise ValueError(
            "keys do not belong into the address: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    match parts.scheme:
        case "file":
            return _folder(parts.netloc, parts.path, has_more=bool(parts.query or parts.fragment))
        case "s3":
            return _bucket(parts.netloc, parts.path, options)
        case _:
            raise ValueError("it must be file:///folder or s3://bucket/prefix")


def _folder(host: str, path: str, *, has_more: bool) -> PictureFolder:
    if host not in {"", "localhost"} or not path.strip("/") or has_more:
        raise ValueError("a folder is written file:///path/to/folder, with three slashes")
    return PictureFolder(Path(unquote(path)), is_shared=True)


def _bucket(bucket: str, path: str, options: dict[str, list[str]]) -> PictureBucket:
    if not _BUCKET.fullmatch(bucket):
        raise ValueError("a bucket is written s3://bucket/prefix")
    if unknown := sorted(options.keys() - _OPTIONS):
        raise ValueError(f"{unknown[0]} is no option of s3://: there are endpoint and region")
    endpoint = options.get("endpoint", [None])[-1]
    if endpoint is not None:
        address = urlsplit(endpoint)
        if address.scheme not in {"http", "https"} or not address.hostname:
            raise ValueError("endpoint must be an address such as https://s3.example.org")
        endpoint = endpoint.rstrip("/")
    return PictureBucket(
        bucket=bucket,
        prefix=unquote(path).strip("/"),
        endpoint=endpoint,
        region=options.get("region", [None])[-1] or None,
    )
