"""Whether a bot already runs where this machine's settings say: asking it saves a load."""

from __future__ import annotations

import http.client
import json

WAIT_S = 0.5


def running_bot(host: str, port: int) -> str | None:
    """The address of the playground that answers there, if one does."""
    connection = http.client.HTTPConnection(host, port, timeout=WAIT_S)
    try:
        connection.request("GET", "/api/info")
        response = connection.getresponse()
        is_ours = 'realm="llava-bot"' in (
            response.getheader("WWW-Authenticate") or ""
        ) or "limits" in json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError, TypeError):
        return None
    finally:
        connection.close()
    return f"http://{f'[{host}]' if ':' in host else host}:{port}" if is_ours else None
