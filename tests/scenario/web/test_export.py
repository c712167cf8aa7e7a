"""A thread as a file."""

from __future__ import annotations

import io
import json
import zipfile
from urllib.parse import unquote

from bot.platforms.web.keys import thread_key
from tests.engines import ScriptedModel
from tests.scenario.core import BLUE, RED
from tests.scenario.playground import Client


async def exported(client: Client, thread: str, kind: str) -> tuple[str, str, bytes]:
    """(content type, file name, content)."""
    async with client.http.get(f"/api/threads/{thread}/export?format={kind}") as response:
        assert response.status == 200
        disposition = response.headers["Content-Disposition"]
        name = unquote(disposition.removeprefix("attachment; filename*=UTF-8''"))
        return response.content_type, name, await response.read()


async def test_a_thread_is_exported_as_markdown_json_and_zip(
    client: Client, backend: ScriptedModel
) -> None:
    backend.answer = lambda _: "A **cat**:\n\n| a |\n|---|\n| 1 |"
    thread = await client.make_thread()
    await client.answer(thread, "What *is* it?\n# really", ("a_1.png", RED), ("b.png", BLUE))
    kind, name, content = await exported(client, thread, "md")
    assert (kind, name) == ("text/markdown", "A cat – What is it # really.md")
    text = content.decode()
    assert "> What \\*is\\* it?\n> \\# really" in text
    assert "A **cat**:\n\n| a |" in text
    address = f"{client.playground.address}/api/threads/{thread}/pictures/1"
    assert f"![Picture 1 · a\\_1.png](<{address}>)" in text
    kind, name, content = await exported(client, thread, "json")
    assert (kind, name[-5:]) == ("application/json", ".json")
    (turn,) = json.loads(content)["turns"]
    assert (turn["question"], turn["state"]) == ("What *is* it?\n# really", "answered")
    kind, name, content = await exported(client, thread, "zip")
    assert (kind, name[-4:]) == ("application/zip", ".zip")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == [
            "pictures/1.png",
            "pictures/2.png",
            "thread.json",
            "thread.md",
        ]
        assert archive.read("pictures/1.png").startswith(b"\x89PNG")
        assert "(<pictures/1.png>)" in archive.read("thread.md").decode()


async def test_a_title_of_any_characters_makes_a_file_name(client: Client) -> None:
    thread = await client.make_thread()
    await client.answer(thread, "q")
    for title, expected in [
        ('../a/b:c*"d".', ".. a b c d"),
        ("写真の猫", "写真の猫"),
        ("...", "thread"),
        ("a; filename=x\r\nX-Y: 1", "a; filename=x X-Y 1"),
    ]:
        await client.store.listing.rename(thread_key(thread), title)
        _, name, _ = await exported(client, thread, "md")
        assert name == f"{expected.strip('. ') or 'thread'}.md"


async def test_another_format_and_no_thread_get_a_sentence(client: Client) -> None:
    thread = await client.make_thread()
    assert await client.get(f"/api/threads/{thread}/export?format=pdf") == (
        400,
        {"error": "A thread is exported as md, json or zip."},
    )
    assert (await client.get("/api/threads/nonsense/export"))[0] == 404
