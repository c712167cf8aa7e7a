"""The check of signatures is S3's own: the example of its documentation."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest

from tests.servers.s3.signature import Refused, Request, check

EMPTY = hashlib.sha256(b"").hexdigest()
KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SIGNATURE = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
NOW = datetime(2013, 5, 24, tzinfo=UTC)


def example(signature: str = SIGNATURE, body: bytes = b"") -> Request:
    """GET Object, of "Authenticating Requests" in the Amazon S3 API Reference."""
    return Request(
        method="GET",
        path="/test.txt",
        query=(),
        headers={
            "host": "examplebucket.s3.amazonaws.com",
            "range": "bytes=0-9",
            "x-amz-content-sha256": EMPTY,
            "x-amz-date": "20130524T000000Z",
            "authorization": "AWS4-HMAC-SHA256 "
            f"Credential={KEY}/20130524/us-east-1/s3/aws4_request,"
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
            f"Signature={signature}",
        },
        body=body,
    )


def refusal(request: Request, *, now: datetime = NOW, region: str = "us-east-1") -> str | None:
    try:
        check(request, keys={KEY: SECRET}, region=region, token=None, now=now)
    except Refused as exc:
        return exc.code
    return None


def test_the_documented_example_is_accepted() -> None:
    assert refusal(example()) is None


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (example("0" * 64), "SignatureDoesNotMatch"),
        (example(body=b"another body"), "XAmzContentSHA256Mismatch"),
    ],
)
def test_whatever_else_was_signed_is_refused(request_: Request, code: str) -> None:
    assert refusal(request_) == code


def test_an_old_request_and_one_for_another_region_are_refused() -> None:
    assert refusal(example(), now=datetime(2013, 5, 24, 1, tzinfo=UTC)) == "RequestTimeTooSkewed"
    assert refusal(example(), region="eu-west-1") == "AuthorizationHeaderMalformed"
