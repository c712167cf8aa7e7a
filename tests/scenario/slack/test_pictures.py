"""Every picture a teammate can see is one the bot sees, or is named with its reason."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.engines import ScriptedModel
from tests.hostile_pictures.documents import pdf_of
from tests.scenario.core import BLUE, RED
from tests.scenario.slack.stage import Stage, context_of, running_bot, text_of
from tests.servers.slack.server import LocalSlack, running_slack

BOT = "<@U0BOT>"


@pytest.fixture
async def web_host() -> AsyncIterator[LocalSlack]:
    """Another host of the web, with a picture."""
    seen: list[str] = []

    async def picture(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization", ""))
        return web.Response(body=BLUE, content_type="image/png")

    async with running_slack(web.get("/blue.png", picture)) as host:
        host.seen = seen  # type: ignore[attr-defined]
        yield host


async def test_whichever_copy_of_a_mention_has_the_files_wins(stage: Stage) -> None:
    slack = stage.slack
    slack.mention_without_files = True
    for copies in (("app_mention", "message"), ("message", "app_mention")):
        slack.copies = copies
        ts = slack.say(f"{BOT} what is it?", slack.upload("red.png", RED))
        reply = await stage.answered(ts)
        assert context_of(reply) == "Picture 1: red.png"
        assert len(stage.replies(ts)) == 1


async def test_a_mention_alone_without_its_files_asks_slack_for_them(stage: Stage) -> None:
    slack = stage.slack
    slack.mention_without_files = True
    slack.copies = ("app_mention",)
    ts = slack.say(f"{BOT} what is it?", slack.upload("red.png", RED))
    assert context_of(await stage.answered(ts)) == "Picture 1: red.png"


async def test_a_follow_up_asks_slack_for_nothing(stage: Stage) -> None:
    slack = stage.slack
    ts = slack.say(f"{BOT} what is it?", slack.upload("red.png", RED))
    await stage.answered(ts)
    slack.say("why?", thread=ts)
    await stage.answered(ts, times=2)
    assert stage.bot.socket is not None
    stage.bot.socket._hello_at = float("-inf")  # connected long ago
    slack.api.calls.clear()
    slack.say("and why?", thread=ts)
    await stage.answered(ts, times=3)
    assert not [name for name, _ in slack.api.calls if name.startswith("conversations.")]


async def test_a_picture_that_was_found_once_is_not_shown_twice(
    tmp_path: Path, slack: LocalSlack, backend: ScriptedModel
) -> None:
    ts = slack.say("look", slack.upload("red.png", RED), user="U2BEN", told=False)
    for number in (1, 2):  # each start reads the thread once
        async with running_bot(tmp_path, slack, backend) as stage:
            slack.say(f"{BOT} what is it?", thread=ts)
            reply = await stage.answered(ts, times=number)
            assert context_of(reply) == "Picture 1: red.png"


@pytest.mark.parametrize(
    "sender",
    [
        {"subtype": "bot_message", "bot_id": "B9", "username": "grafana"},
        {"user": "U9BOT", "bot_id": "B9"},
        {"user": "U9BOT", "bot_id": "B9", "app_id": "A9", "subtype": "file_share"},
        {"user": "U2BEN", "subtype": "thread_broadcast"},
        {"user": "U2BEN", "subtype": "me_message"},
        {"user": "USLACKBOT", "subtype": "slackbot_response"},
    ],
    ids=["a webhook", "an app", "an app's upload", "a broadcast", "a /me", "Slackbot"],
)
async def test_a_picture_in_the_thread_is_used_whoever_posted_it(
    stage: Stage, sender: dict[str, str]
) -> None:
    slack = stage.slack
    thread = slack.say("CPU > 90%", user="U2BEN")
    fields: dict[str, Any] = {
        "user": "",
        "files": [slack.in_event(slack.upload("red.png", RED))],
        **sender,
    }
    slack.say("", thread=thread, **fields)
    slack.say(f"{BOT} what is it?", thread=thread)
    assert context_of(await stage.answered(thread)) == "Picture 1: red.png"


async def test_a_picture_an_app_posts_after_the_thread_was_read_is_used(stage: Stage) -> None:
    slack = stage.slack
    thread = slack.say(f"{BOT} hello")
    await stage.answered(thread)
    slack.say(f"{BOT} anything new?", thread=thread)
    await stage.answered(thread, times=2)
    app: dict[str, Any] = {"user": "", "subtype": "bot_message", "bot_id": "B9", "thread": thread}
    red, blue = (
        slack.in_event(slack.upload(f"{n}.png", d)) for n, d in (("red", RED), ("b", BLUE))
    )
    shown = slack.say("", files=[red], **app)
    await stage.quiet()
    slack.say(f"{BOT} and now?", thread=thread)
    assert context_of(await stage.answered(thread, times=3)) == "Picture 1: red.png"

    message = slack.workspace.message("C1", shown)
    assert message is not None
    message["files"] = [blue]
    change = {"type": "message", "subtype": "message_changed", "hidden": True, "channel": "C1"}
    slack.tell_event({**change, "message": message, "previous_message": message})
    await stage.quiet()
    slack.say(f"{BOT} and now?", thread=thread)
    reply = await stage.answered(thread, times=4)
    assert context_of(reply) == "Picture 1: red.png · Picture 2: b.png"


async def test_the_bots_own_messages_are_not_searched_for_pictures(stage: Stage) -> None:
    slack = stage.slack
    backend = stage.backend
    backend.answer = lambda _: f"See {slack.base}/files-pri/T1-F1/red.png"
    thread = slack.say(f"{BOT} where is it?")
    await stage.answered(thread)
    slack.say("a note", user="U2BEN", subtype="bot_message", bot_id="B9", thread=thread)
    await stage.quiet()
    slack.say(f"{BOT} what is it?", thread=thread)
    assert context_of(await stage.answered(thread, times=2)) == ""
    assert slack.downloads == []


async def test_a_shared_message_brings_its_pictures(stage: Stage) -> None:
    slack = stage.slack
    file = slack.upload("red.png", RED)
    shared = {"is_share": True, "text": "look", "files": [slack.in_event(file)]}
    ts = slack.say(f"{BOT} what is it?", attachments=[shared])
    assert context_of(await stage.answered(ts)) == "Picture 1: red.png"


async def test_a_slack_connect_stub_is_asked_about(stage: Stage) -> None:
    slack = stage.slack
    ts = slack.say(f"{BOT} what is it?", slack.upload("red.png", RED, stub=True))
    assert context_of(await stage.answered(ts)) == "Picture 1: red.png"


async def test_an_upload_that_is_still_on_its_way_is_waited_for(stage: Stage) -> None:
    slack = stage.slack
    ts = slack.say(f"{BOT} what is it?", slack.upload("red.png", RED, arrives_after=2))
    assert context_of(await stage.answered(ts)) == "Picture 1: red.png"


async def test_a_link_to_a_picture_is_followed_without_the_token(
    tmp_path: Path, slack: LocalSlack, backend: ScriptedModel, web_host: LocalSlack
) -> None:
    hosts = frozenset({web_host.base.removeprefix("http://")})
    async with running_bot(tmp_path, slack, backend, private_hosts=hosts) as stage:
        ts = slack.say(f"{BOT} what is <{web_host.base}/blue.png|this>?")
        reply = await stage.answered(ts)
        assert context_of(reply) == "Picture 1: blue.png"
        assert text_of(reply) == "answer to what is this?"
        assert web_host.seen == [""]  # type: ignore[attr-defined]


async def test_a_link_into_the_operators_network_is_refused(
    tmp_path: Path, slack: LocalSlack, backend: ScriptedModel, web_host: LocalSlack
) -> None:
    port = web_host.base.rpartition(":")[2]
    async with running_bot(tmp_path, slack, backend, private_hosts=frozenset()) as stage:
        for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"[::ffff:127.0.0.1]:{port}"):
            ts = slack.say(f"{BOT} what is <http://{host}/blue.png>?")
            assert "could not be downloaded" in text_of(await stage.answered(ts))
        assert web_host.seen == []  # type: ignore[attr-defined]


async def test_links_can_be_left_alone(
    tmp_path: Path, slack: LocalSlack, backend: ScriptedModel
) -> None:
    async with running_bot(tmp_path, slack, backend, fetch_links=False) as stage:
        ts = slack.say(f"{BOT} what is <https://example.org/blue.png>?")
        assert "answer to what is https://" in text_of(await stage.answered(ts))


async def test_where_links_are_left_alone_slacks_own_files_are_not(
    tmp_path: Path, slack: LocalSlack, backend: ScriptedModel, web_host: LocalSlack
) -> None:
    hosts = frozenset(host.base.removeprefix("http://") for host in (slack, web_host))
    options: dict[str, Any] = {"fetch_links": False, "private_hosts": hosts}
    async with running_bot(tmp_path, slack, backend, **options) as stage:
        own = slack.in_event(slack.upload("red.png", RED))
        elsewhere = {"id": "F9", "title": "blue.png", "is_external": True, "mimetype": "image/png"}
        linked = f"{web_host.base}/blue.png"
        ts = slack.say(
            f"{BOT} what is it? <{linked}>",
            files=[{**elsewhere, "url_private": linked}],
            attachments=[{"image_url": linked}],
            blocks=[
                {"type": "image", "image_url": linked, "alt_text": "blue"},
                {"type": "image", "slack_file": {"id": own["id"]}, "alt_text": "red"},
            ],
        )
        small = context_of(await stage.answered(ts))
        assert "Picture 1: red.png" in small
        assert "“blue.png” was left out: it is a file stored outside Slack" in small
        assert web_host.seen == []  # type: ignore[attr-defined]


async def test_a_video_behind_a_link_is_named_and_the_question_stands(stage: Stage) -> None:
    slack = stage.slack
    thread = slack.say("look", slack.upload("red.png", RED), user="U2BEN")
    video = {"from_url": "https://videos.example/1", "title": "The launch", "video_html": "<x>"}
    slack.say(f"{BOT} is it as in <https://videos.example/1>?", thread=thread, attachments=[video])
    reply = await stage.answered(thread)
    assert text_of(reply) == "answer to is it as in https://videos.example/1?"
    assert "Picture 1: red.png" in context_of(reply)
    assert "“The launch” was left out: it is a video" in context_of(reply)
    alone = slack.say(f"{BOT} is it any good? <https://videos.example/1>", attachments=[video])
    reply = await stage.answered(alone)
    assert text_of(reply) == "answer to is it any good? https://videos.example/1"
    assert "“The launch” was left out: it is a video" in context_of(reply)


async def test_the_token_goes_to_slack_alone(stage: Stage, web_host: LocalSlack) -> None:
    slack = stage.slack
    stage.bot._links._web._private_hosts = frozenset({web_host.base.removeprefix("http://")})
    file = slack.upload("red.png", RED, redirects_to=f"{web_host.base}/blue.png")
    ts = slack.say(f"{BOT} what is it?", file)
    await stage.answered(ts)
    assert [token for _, token in slack.downloads] == ["Bearer xoxb-local"]
    assert web_host.seen == [""]  # type: ignore[attr-defined]


async def test_slacks_login_page_names_the_scope_that_is_missing(stage: Stage) -> None:
    slack = stage.slack
    slack.workspace.scopes.discard("files:read")
    ts = slack.say(f"{BOT} what is it?", slack.upload("red.png", RED))
    reply = await stage.answered(ts)
    assert "“red.png” was left out" in text_of(reply)
    assert "files:read" in text_of(reply)


async def test_a_stub_that_may_not_be_asked_about_names_the_scope(stage: Stage) -> None:
    slack = stage.slack
    slack.workspace.scopes.discard("files:read")
    ts = slack.say(f"{BOT} what is it?", slack.upload("red.png", RED, stub=True))
    assert "files:read" in text_of(await stage.answered(ts))


async def test_a_file_that_slack_withholds_is_not_blamed_on_a_scope(stage: Stage) -> None:
    slack = stage.slack
    ts = slack.say(f"{BOT} what is it?", slack.upload("red.png", RED, withheld=True))
    reply = text_of(await stage.answered(ts))
    assert "“red.png” was left out: Slack would not give it to me" in reply
    assert "files:read" not in reply


async def test_a_scope_that_was_added_meanwhile_is_known(stage: Stage) -> None:
    slack = stage.slack
    slack.workspace.scopes.discard("files:read")
    ts = slack.say(f"{BOT} what is it?", slack.upload("red.png", RED))
    assert "files:read" in text_of(await stage.answered(ts))
    slack.workspace.scopes.add("files:read")
    ts = slack.say(f"{BOT} and this?", slack.upload("red.png", RED, withheld=True))
    assert "would not give it to me" in text_of(await stage.answered(ts))


async def test_a_web_page_or_a_canvas_beside_a_picture_costs_the_picture_nothing(
    stage: Stage,
) -> None:
    slack = stage.slack
    page = b"<!DOCTYPE html><html><body>Notes</body></html>"
    files = [
        slack.upload("Sprint_notes", page, described={"mode": "quip", "title": "Sprint notes"}),
        slack.upload("report.html", page, described={"mimetype": "text/html"}),
        slack.upload("page.png", page),
        slack.upload("red.png", RED),
    ]
    ts = slack.say(f"{BOT} what is it?", *files)
    small = context_of(await stage.answered(ts))
    assert "Picture 1: red.png" in small
    assert "“Sprint notes” was left out: it is a canvas" in small
    assert "“report.html” was left out: it is a web page" in small
    assert "“page.png” was left out: it is a web page" in small
    assert "files:read" not in small
    fetched = {path.rpartition("/")[2] for path, _ in slack.downloads}
    assert fetched == {"page.png", "red.png"}  # what Slack names itself is not fetched


async def test_what_is_sent_beside_more_pictures_than_are_read_is_named_as_what_it_is(
    stage: Stage,
) -> None:
    slack = stage.slack
    pictures = [slack.upload(f"{name}.png", RED) for name in ("one", "two", "three")]
    notes = slack.upload("notes", b"", described={"mode": "canvas", "title": "Notes"})
    ts = slack.say(f"{BOT} compare", *pictures, notes)
    small = context_of(await stage.answered(ts))
    assert "“three.png” was left out: only 2 pictures" in small
    assert "“Notes” was left out: it is a canvas" in small


async def test_a_deleted_file_is_named(stage: Stage) -> None:
    slack = stage.slack
    gone = {"id": "F9", "name": "old.png", "mode": "tombstone"}
    ts = slack.say(f"{BOT} what is it?", subtype="file_share", files=[gone])
    assert "“old.png” was left out: it has been deleted" in text_of(await stage.answered(ts))


async def test_a_file_larger_than_it_says_is_refused_while_it_streams(stage: Stage) -> None:
    slack = stage.slack
    file = slack.upload("huge.png", RED)
    described = slack.in_event(file)
    file.data = bytes(300_000)
    ts = slack.say(f"{BOT} what is it?", subtype="file_share", files=[described])
    assert "the limit is" in text_of(await stage.answered(ts))


async def test_a_document_earlier_in_the_thread_is_found(stage: Stage) -> None:
    slack = stage.slack
    minutes = slack.upload("minutes.pdf", pdf_of(["Agreed: we ship on Friday"]))
    ts = slack.say("the minutes", minutes, user="U2BEN")
    slack.say(f"{BOT} when do we ship?", thread=ts)
    assert "minutes.pdf (p. 1)" in context_of(await stage.answered(ts))
    assert "> Agreed: we ship on Friday" in stage.backend.requests[-1].messages[0].text


async def test_something_else_earlier_in_the_thread_does_not_refuse_the_question(
    stage: Stage,
) -> None:
    slack = stage.slack
    preview = {"from_url": "https://example.org/news", "image_url": "https://example.org/a.png"}
    ts = slack.say(
        "see <https://example.org/news>",
        slack.upload("report.zip", b"PK"),
        user="U2BEN",
        attachments=[preview],
    )
    slack.say("broken", slack.upload("broken.png", b"no picture"), user="U2BEN", thread=ts)
    slack.say(f"{BOT} hello", thread=ts)
    reply = await stage.answered(ts)
    assert text_of(reply) == "answer to hello"
    assert "broken.png" in context_of(reply)
    assert "report.zip" not in context_of(reply)
