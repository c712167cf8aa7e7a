"""What an exception says, as far as that cannot be somebody's words.

Libraries quote their input in their messages, and what people write or show must not reach a log.
So no message is ever copied: codes, which are numbers, choose a sentence out of the tables here,
and what no table knows is left out.
"""

from __future__ import annotations

import errno
import os
import socket
import sqlite3
import ssl
from collections.abc import Iterator

_SQLITE = {
    1: "SQL logic error",
    3: "access permission denied",
    5: "database is locked",
    6: "database table is locked",
    7: "out of memory",
    8: "attempt to write a readonly database",
    9: "interrupted",
    10: "disk I/O error",
    11: "database disk image is malformed",
    13: "database or disk is full",
    14: "unable to open database file",
    15: "locking protocol",
    17: "database schema has changed",
    18: "string or blob too big",
    19: "constraint failed",
    20: "datatype mismatch",
    23: "authorization denied",
    26: "file is not a database",
}
"""Primary result codes. Source: sqlite3_errstr, https://sqlite.org/rescode.html"""

_RESOLVER = {
    getattr(socket, name): words
    for name, words in {
        "EAI_AGAIN": "temporary failure in name resolution",
        "EAI_FAIL": "failure in name resolution",
        "EAI_MEMORY": "out of memory in name resolution",
        "EAI_NODATA": "no address belongs to this name",
        "EAI_NONAME": "name or service not known",
    }.items()
    if hasattr(socket, name)
}

_CERTIFICATE = {
    9: "certificate is not yet valid",
    10: "certificate has expired",
    18: "self-signed certificate",
    19: "self-signed certificate in certificate chain",
    20: "unable to get local issuer certificate",
    21: "unable to verify the first certificate",
    23: "certificate revoked",
    62: "hostname mismatch",
    64: "IP address mismatch",
}
"""Verification results. Source: X509_V_ERR_* of OpenSSL's x509_vfy.h"""

_TLS = frozenset(
    {
        "CERTIFICATE_VERIFY_FAILED",
        "DECRYPTION_FAILED_OR_BAD_RECORD_MAC",
        "HTTP_REQUEST",
        "NO_SHARED_CIPHER",
        "SSLV3_ALERT_HANDSHAKE_FAILURE",
        "TLSV1_ALERT_INTERNAL_ERROR",
        "TLSV1_ALERT_PROTOCOL_VERSION",
        "TLSV1_UNRECOGNIZED_NAME",
        "UNEXPECTED_EOF_WHILE_READING",
        "UNSUPPORTED_PROTOCOL",
        "WRONG_VERSION_NUMBER",
    }
)

_CUDA = (
    "out of memory",
    "device-side assert triggered",
    "an illegal memory access was encountered",
    "an illegal instruction was encountered",
    "misaligned address",
    "unspecified launch failure",
    "no kernel image is available for execution on the device",
    "uncorrectable ECC error encountered",
    "the launch timed out and was terminated",
    "initialization error",
    "unknown error",
)
"""Source: cudaGetErrorString"""

_DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_MAX_CAUSES = 8


def safe_message(exc: BaseException) -> str:
    """What an exception, or what lies beneath it, says; "" where that may be anybody's words."""
    return next((words for cause in causes(exc) if (words := _words_of(cause))), "")


def is_disk_full(exc: BaseException) -> bool:
    """Whether something could not be written because there is no room, or none for this user."""
    return any(
        (isinstance(cause, OSError) and cause.errno in _DISK_FULL) or _sqlite_code(cause) == 13
        for cause in causes(exc)
    )


def causes(exc: BaseException) -> Iterator[BaseException]:
    """The exception, then those that it wraps: the libraries' own attributes, and `from`."""
    known: list[BaseException] = []
    waiting: list[object] = [exc]
    while waiting and len(known) < _MAX_CAUSES:
        cause = waiting.pop(0)
        if isinstance(cause, BaseException) and all(cause is not other for other in known):
            known.append(cause)
            yield cause
            # SQLAlchemy's, aiohttp's, Python's
            waiting += [_attribute(cause, name) for name in ("orig", "os_error", "__cause__")]


def _attribute(exc: BaseException, name: str) -> object:
    try:
        return getattr(exc, name, None)
    except Exception:  # noqa: BLE001 - a property of somebody's exception; the log must go on
        return None


def _words_of(exc: BaseException) -> str:
    if isinstance(exc, ssl.SSLError):
        return _tls_words(exc)
    if (code := _sqlite_code(exc)) is not None:
        return _SQLITE.get(code, "")
    if isinstance(exc, OSError) and isinstance(exc.errno, int):
        if isinstance(exc, socket.gaierror) or exc.errno < 0:
            return _RESOLVER.get(exc.errno, "")
        return os.strerror(exc.errno) if exc.errno in errno.errorcode else ""
    if isinstance(exc, TimeoutError):
        return "timed out"
    if type(exc).__module__.partition(".")[0] == "torch":
        return next((f"CUDA error: {it}" for it in _CUDA if f"CUDA error: {it}" in str(exc)), "")
    return _number_of_answer(exc)


def _sqlite_code(exc: BaseException) -> int | None:
    code = getattr(exc, "sqlite_errorcode", None) if isinstance(exc, sqlite3.Error) else None
    return code & 0xFF if isinstance(code, int) else None  # the rest says more of the same


def _tls_words(exc: ssl.SSLError) -> str:
    reason = next((known for known in _TLS if known == _attribute(exc, "reason")), "")
    code = _attribute(exc, "verify_code")
    detail = _CERTIFICATE.get(code, "") if isinstance(code, int) else ""
    return ": ".join(part for part in (reason, detail) if part)


def _number_of_answer(exc: BaseException) -> str:
    """`HTTP 503` of aiohttp's and discord.py's exceptions, with Discord's own code."""
    status, code = _attribute(exc, "status"), _attribute(exc, "code")
    if type(status) is not int or not 100 <= status < 600:
        return f"code {code}" if type(code) is int and 1000 <= code < 5000 else ""
    known = type(code) is int and 0 < code < 1_000_000 and code != status
    return f"HTTP {status}, code {code}" if known else f"HTTP {status}"
