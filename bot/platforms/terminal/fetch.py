"""Fetches a picture by the address that the user typed."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp

from inference.safe_messages import safe_message

CHUNK_BYTES = 64 * 1024
TIMEOUT_S = 30
MAX_REDIRECTS = 5


def is_address(text: str) -> bool:
    """Whether a text is a web address rather than a file name."""
    return text.lower().startswith(("https://", "http://"))


async def fetch(address: str) -> AsyncIterator[bytes]:
    """Yield the bytes behind an address, in pieces; the caller limits their number.

    Only for addresses typed at this machine's own terminal: it contacts any host they name.

    Raises:
        OSError: it cannot be fetched.
    """
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    headers = {"User-Agent": "llava-bot", "Accept": "image/*"}
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, headers=headers, trust_env=True) as session,
            session.get(address, max_redirects=MAX_REDIRECTS) as response,
        ):
            if response.status != 200:
                raise OSError(f"the server answered {response.status}")
            async for piece in response.content.iter_chunked(CHUNK_BYTES):
                yield piece
    except TimeoutError:
        raise OSError(f"the server did not answer within {TIMEOUT_S} s") from None
    except aiohttp.ClientConnectionError as exc:
        words = safe_message(exc) or "the connection broke"
        raise OSError(f"the server cannot be reached: {words}") from None
    except aiohttp.TooManyRedirects:
        raise OSError("it redirects without end") from None
    except (aiohttp.ClientError, ValueError):
        raise OSError("the address or the server's answer is not valid") from None
