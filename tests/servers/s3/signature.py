"""Signature Version 4, as a store checks it.

Source: "Authenticating Requests (AWS Signature Version 4)" of the Amazon S3 API Reference.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

TOLERATED = timedelta(minutes=15)
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 "
    r"Credential=(?P<key>[^/]+)/(?P<day>\d{8})/(?P<region>[^/]+)/s3/aws4_request, ?"
    r"SignedHeaders=(?P<headers>[a-z0-9;-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)


class Refused(Exception):
    """A request that is not signed as it must be: (S3's code, HTTP status)."""

    def __init__(self, code: str, status: int = 403) -> None:
        super().__init__(code)
        self.code = code
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is signed of a request."""

    method: str
    path: str
    """Decoded."""
    query: tuple[tuple[str, str], ...]
    """Decoded."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


def check(
    request: Request, *, keys: Mapping[str, str], region: str, token: str | None, now: datetime
) -> None:
    """Check who signed a request, what and when. Raises: Refused."""
    found = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    if found is None:
        raise Refused("AccessDenied")
    if (secret := keys.get(found["key"])) is None:
        raise Refused("InvalidAccessKeyId")
    if found["region"] != region:
        raise Refused("AuthorizationHeaderMalformed", 400)
    signed = found["headers"].split(";")
    must = {"host", *(name for name in request.headers if name.startswith("x-amz-"))}
    if not must <= set(signed) or signed != sorted(signed):
        raise Refused("AccessDenied")
    if request.headers.get("x-amz-security-token") != token:
        raise Refused("InvalidToken", 400)
    at = request.headers.get("x-amz-date", "")
    sent = datetime.strptime(at, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    if abs(now - sent) > TOLERATED or found["day"] != at[:8]:
        raise Refused("RequestTimeTooSkewed")
    content = request.headers.get("x-amz-content-sha256")
    if content != hashlib.sha256(request.body).hexdigest():
        raise Refused("XAmzContentSHA256Mismatch", 400)
    expected = signature(
        request, signed=signed, secret=secret, at=at, region=region, content=content
    )
    if not hmac.compare_digest(expected, found["signature"]):
        raise Refused("SignatureDoesNotMatch")


def signature(
    request: Request, *, signed: list[str], secret: str, at: str, region: str, content: str
) -> str:
    """The signature of a request in hex; `content`: the body's SHA-256 in hex."""
    query = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in request.query
    )
    canonical = "\n".join(
        [
            request.method,
            quote(request.path, safe="/-_.~"),
            "&".join(f"{name}={value}" for name, value in query),
            *(f"{name}:{' '.join(request.headers.get(name, '').split())}" for name in signed),
            "",
            ";".join(signed),
            content,
        ]
    )
    scope = f"{at[:8]}/{region}/s3/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{secret}".encode()
    for part in (at[:8], region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    text = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{digest}"
    return hmac.digest(key, text.encode(), "sha256").hex()
