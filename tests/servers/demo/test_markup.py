"""What people and the bot write, as the demos' page gets it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.servers.demo.markup.commonmark import commonmark
from tests.servers.demo.markup.discord import markdown
from tests.servers.demo.markup.mrkdwn import mrkdwn
from tests.servers.demo.markup.nodes import Node, Nodes

Parse = Callable[[str], Nodes]


def written(nodes: Nodes) -> str:
    """A tree in short: `<strong>a</strong>`."""
    return "".join(map(_written, nodes))


def _written(node: Node) -> str:
    if isinstance(node, str):
        return node.replace("<", "‹")
    about = node.get("href") or node.get("id") or node.get("mark") or node.get("language") or ""
    head = f"{node['tag']} {about}".strip()
    inner = written(node["children"])
    return f"<{head}>{inner}</{node['tag']}>" if inner else f"<{head}>"


def nodes_in(nodes: Nodes) -> Iterator[Node]:
    for it in nodes:
        yield it
        if isinstance(it, dict):
            yield from nodes_in(it["children"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*help*, _so_, ~no~", "<strong>help</strong>, <em>so</em>, <del>no</del>"),
        ("2*3*4 and snake_case_name", "2*3*4 and snake_case_name"),
        ("*_both_*", "<strong><em>both</em></strong>"),
        ("`a *b* &lt;c`", "<code>a *b* ‹c</code>"),
        ("<@U1> in <#C1>, <!here>", "<user U1> in <place C1>, <ping>@here</ping>"),
        ("<https://a.b/c|here> <https://a.b>",
         "<a https://a.b/c>here</a> <a https://a.b>https://a.b</a>"),
        ("a &lt;b&gt; &amp; c", "a ‹b> & c"),
    ],
)  # fmt: skip
def test_slacks_own_markup(text: str, expected: str) -> None:
    assert written(mrkdwn(text)) == f"<p>{expected}</p>"


def test_slacks_quotes_and_code_are_blocks() -> None:
    made = written(mrkdwn("before\n&gt; one\n&gt; two\n```\nx *y*\n```\nafter"))
    assert made == "<p>before</p><quote>one<br>two</quote><pre>x *y*</pre><p>after</p>"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("**b** *i* _i_ __u__", "<strong>b</strong> <em>i</em> <em>i</em> <u>u</u>"),
        ("~~s~~", "<del>s</del>"),
        ("**b *both* b**", "<strong>b <em>both</em> b</strong>"),
        ("||secret||", "<spoiler>secret</spoiler>"),
        (r"\*not\* \|\|this\|\|", "*not* ||this||"),
        ("`**` ``a ` b``", "<code>**</code> <code>a ` b</code>"),
        ("[a *b*](https://a.b/c) <https://a.b>",
         "<a https://a.b/c>a <em>b</em></a> <a https://a.b>https://a.b</a>"),
        ("[no](javascript:alert)", "[no](javascript:alert)"),
        ("<@1> <@!2> <#3> <@&4> @everyone",
         "<user 1> <user 2> <place 3> <role 4> <ping>@everyone</ping>"),
        ("snake_case_name 2 * 3 * 4", "snake_case_name 2 * 3 * 4"),
    ],
)  # fmt: skip
def test_discords_markdown(text: str, expected: str) -> None:
    assert written(markdown(text)) == f"<p>{expected}</p>"


def test_discords_blocks() -> None:
    text = "# Title\n-# small\n- one\n  - two\n1. three\n> quoted\n```py\n**x**\n```\nend\n>>> a\nb"
    assert written(markdown(text)) == (
        "<h1>Title</h1><small>small</small>"
        "<list><li •>one</li><li •>two</li><li 1.>three</li></list>"
        "<quote><p>quoted</p></quote><pre py>**x**</pre><p>end</p><quote><p>a<br>b</p></quote>"
    )


def test_discord_knows_no_quote_in_a_quote() -> None:
    assert written(markdown("> > a")) == "<quote><p>> a</p></quote>"
    assert written(markdown(f"{'> ' * 2000}a")).endswith("a</p></quote>")


def test_slacks_markdown_blocks_are_commonmark_with_lists_in_lists() -> None:
    text = "# Title\n\n3. a\n   - **b**\n4. ~~c~~\n\n> q\n\n[x](javascript:1) <b>no</b> <@U1>"
    assert written(commonmark(text)) == (
        "<h1>Title</h1><list><li 3.><p>a</p><list><li •><p><strong>b</strong></p></li></list></li>"
        "<li 4.><p><del>c</del></p></li></list><quote><p>q</p></quote>"
        "<p>[x](javascript:1) ‹b>no‹/b> <user U1></p>"
    )


def test_a_link_that_leads_elsewhere_than_to_the_web_is_its_words() -> None:
    text = "[a](/demo/files/F1) [b](ftp://x.y) <ftp://x.y> [c](mailto:x@y.z)"
    shown = "a b ftp://x.y <a mailto:x@y.z>c</a>"
    assert written(commonmark(text)) == f"<p>{shown}</p>"


SIGNS = st.text(st.sampled_from("*_~`|<>@#!\\[]()-1. \nabhtps:/&;"), max_size=200)


@pytest.mark.parametrize("parse", [mrkdwn, markdown, commonmark])
@given(text=SIGNS)
def test_whatever_is_written_a_link_leads_to_the_web_alone(parse: Parse, text: str) -> None:
    for node in nodes_in(parse(text)):
        if isinstance(node, dict) and node["tag"] == "a":
            assert node["href"].startswith(("http://", "https://", "mailto:"))


@pytest.mark.parametrize("parse", [mrkdwn, markdown, commonmark])
def test_signs_without_end_take_no_time_and_lose_no_word(parse: Parse) -> None:
    for sign in ("*", "**a", "_a ", "~~a", "[", "`a", "||a", "<@", "__a**b"):
        text = f"{sign * 400} end"
        shown = "".join(it for it in nodes_in(parse(text)) if isinstance(it, str))
        assert shown.endswith("end")
