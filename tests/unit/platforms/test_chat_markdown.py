"""What models write, in Slack's Markdown and in Discord's."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.platforms.chat.markdown.parser import parse
from bot.platforms.chat.markdown.tables import MAX_WIDTH, aligned, width
from bot.platforms.discord.replies.markdown import discord_markdown
from bot.platforms.slack.replies.blocks import unpinged
from bot.platforms.slack.replies.markdown import slack_markdown
from tests.markdown.formulas import FORMULAS, NO_FORMULAS
from tests.markdown.masked_links import HONEST, MASKED, NO_LINKS, PIECES

TABLE = "| Item | Price |\n|:--|--:|\n| **Bolt** | $3.20 |\n| りんご | 5 |"
ALIGNED = "```\nItem   | Price\n-------|------\nBolt   | $3.20\nりんご |     5\n```"

BOTH = {
    "a *b* **c** ~~d~~ ***e*** `f`": "a *b* **c** ~~d~~ ***e*** `f`",
    "__a__ and _b_ and snake_case and 2 * 3": "**a** and _b_ and snake_case and 2 * 3",
    "# a\n## b\n\nc": "# a\n## b\n\nc",
    "one\ntwo  \nthree": "one\ntwo\nthree",
    "total\n---\nnext": "total\n\n---\nnext",
    "***": "---",
    # Lists keep their depth and their numbers; loose ones are written close.
    "* a\n\n* b\n    * c\n\n7) d\n7) e": "- a\n- b\n  - c\n\n7. d\n7. e",
    "Items:\n1. a\n   b\n\n   c": "Items:\n1. a\n   b\n\n   c",
    "- [ ] a\n- [x] **b**": "- ☐ a\n- ☑ **b**",
    "> a\n> b\n>> c": "> a\n> b\n> c",
    "> a\n> ```\n> x\n> ```\n> b": "> a\n```\nx\n```\n> b",
    # What a chat has not becomes code.
    TABLE: ALIGNED,
    "- x\n\n  | a |\n  |---|\n  | b |": "- x\n\n  ```\n  a\n  -\n  b\n  ```",
    "| a<br>b | c |\n|---|---|": "```\na | c\nb |\n--|--\n```",
    "|a|\n|-|\n|[b](https://c.org)|": "```\na\n-----------------\nb (https://c.org)\n```",
    "so $x^2$ and \\(y\\)": "so `x^2` and `y`",
    "$$\n\\frac{a}{b}\n$$": "```\n\\frac{a}{b}\n```",
    "    indented": "```\nindented\n```",
    # Links lead to http alone; pictures are links.
    "[a](https://b.org/c_d) <https://b.org>": "[a](https://b.org/c_d) (b.org) https://b.org",
    "![a](https://b.org/c.png)": "[a](https://b.org/c.png) (b.org)",
    "[a](javascript:b)": "[a]\\(javascript:b)",
    # Text stays text.
    "\\*a\\* \\_b\\_ 1\\. \\! &amp; &lt; b&gt;": "\\*a\\* \\_b\\_ 1. ! & \\< b\\>",
    "1\\. a": "1\\. a",
    "[a]&lpar;https://b.org ": "[a]\\(https://b.org",
    "[a]\\(https://b.org ": "[a]\\(https://b.org",
    "It costs $5 and $10.": "It costs $5 and $10.",
    "`` `a` ``": "`` `a` ``",
    "": "",
    " \n\n": "",
}

SLACK = {
    "#### a": "#### a",
    "```python\na\n```": "```\na\n```",
    "````\n```\n````": "````\n```\n````",
    "[1]: https://a.org": "\\[1]: https://a.org",
    "a\n===": "a\n\\===",
    "||a|| __ b": "||a|| __ b",
    # Kept apart from what would make it a link of Slack's own; not in code.
    "<b>a</b> `<b>`": "<\u2060b>a</b> `<b>`",
    "<https://b.org|c>": "<\u2060https://b.org|c>",
    "\\<mailto:a@b.org|c>": "\\<\u2060mailto:a@b.org|c>",
}

DISCORD = {
    "#### a": "**a**",
    "```python title=x\na\n```": "```python\na\n```",
    "```{.py}\na\n```": "```\na\n```",
    "````\n```\n````": "```\n``\u200b`\n```",
    "||a|| b__c": "\\|\\|a\\|\\| b\\_\\_c",
    "a\n-# b": "a\n\\-# b",
    "<b>a</b>": "<b>a</b>",
    "&#45;# a\n\n&lt;@1>": "\\-# a\n\n\\<@1>",
    "<@1> <@&2> <#3> <:a:4> <a:b:5> <t:6:R> </c:7> <b>": (
        "\\<@1> \\<@&2> \\<#3> \\<:a:4> \\<a:b:5> \\<t:6:R> \\</c:7> <b>"
    ),
}


@pytest.mark.parametrize(("text", "written"), [*BOTH.items(), *SLACK.items()])
def test_slack_is_written_what_was_meant(text: str, written: str) -> None:
    assert slack_markdown(text, complete=True) == written


@pytest.mark.parametrize(("text", "written"), [*BOTH.items(), *DISCORD.items()])
def test_discord_is_written_what_was_meant(text: str, written: str) -> None:
    assert discord_markdown(text, complete=True) == written


@pytest.mark.parametrize("text", FORMULAS)
def test_formulas_are_found(text: str) -> None:
    found = [it.content for it in parse(text).walk() if it.type.startswith("formula")]
    assert found == FORMULAS[text]


@pytest.mark.parametrize("text", NO_FORMULAS)
def test_money_and_code_are_no_formulas(text: str) -> None:
    assert not [it for it in parse(text).walk() if it.type.startswith("formula")]


# -- tables -------------------------------------------------------------------------------------


WIDTHS = {"abc": 3, "りんご": 6, "e\u0301": 1, "❤\ufe0f": 2, "ｱ": 1, "\u200b": 0, "": 0}
FAMILY = "\U0001f469\u200d\U0001f467"


@pytest.mark.parametrize(("text", "columns"), [*WIDTHS.items(), (FAMILY, 2)])
def test_a_width_is_what_a_fixed_font_takes(text: str, columns: int) -> None:
    assert width(text) == columns


def test_columns_are_aligned_as_the_table_says() -> None:
    rows = [["ab", "c", "d"], ["x", "yyy", "zz"]]
    assert (
        aligned(rows, ["left", "center", "right"]) == "ab |  c  |  d\n---|-----|---\nx  | yyy | zz"
    )


def test_rows_with_fewer_cells_and_more_keep_the_columns() -> None:
    assert aligned([["a", "b"], ["c"], ["d", "e", "f"]], ["left"] * 2) == "a | b\n--|--\nc |\nd | e"


def test_a_table_too_wide_for_a_chat_is_wrapped_within_its_columns() -> None:
    prose = "a long description in words " * 6
    shown = aligned([["name", "what"], ["x", prose], ["y", "z" * 90]], ["left", "left"])
    assert max(map(width, shown.split("\n"))) <= MAX_WIDTH
    assert shown.count("description") == 6
    assert shown.count("z") == 90


# -- while it grows -----------------------------------------------------------------------------

ANSWER = f"""# An invoice

It has **two** rows and [a link](https://a.org), ~~no~~ `code`! See $x^2$ and \\(y\\).

{TABLE}

1. one
   - nested *item*
   - [x] done
2. two

> quoted **words**

```py
print("`")
```

$$
x = 1
$$

Prices: $5 < and <b> and <https://a.org|b.org> and $10. ![a](https://a.org/b.png)

---

The end"""


def test_in_slack_what_is_shown_of_a_growing_text_stays() -> None:
    """A stream can only be added to."""
    shown = ""
    for end in range(len(ANSWER) + 1):
        grown = slack_markdown(ANSWER[:end], complete=False)
        assert grown.startswith(shown), ANSWER[:end][-40:]
        shown = grown
    assert slack_markdown(ANSWER, complete=True).startswith(shown)
    assert ALIGNED in shown


def test_in_discord_a_table_grows_row_by_row() -> None:
    head, rule, row, _ = TABLE.split("\n")
    assert discord_markdown(f"so\n\n{head}\n{rule[:3]}", complete=False) == "so"
    assert "Bolt" in discord_markdown(f"so\n\n{head}\n{rule}\n{row}", complete=False)
    assert slack_markdown(f"so\n\n{head}\n{rule}\n{row}", complete=False) == "so"


SIGNS = "*_~`[]()!#>-+|$\\<&1. \n\tab@"
MARKDOWN = st.lists(
    st.text(alphabet=SIGNS, max_size=8)
    | st.sampled_from(["```", "| a |\n|---|\n", "- ", "https://a.org", "<@U1>", "<!here>", "か"]),
    max_size=25,
).map("".join)


@settings(max_examples=300, deadline=None)
@given(MARKDOWN, st.booleans())
def test_any_text_is_written_and_written_again_alike(text: str, complete: bool) -> None:
    for write in (slack_markdown, discord_markdown):
        written = write(text, complete)
        assert len(written) <= 40 * len(text) + 40
        assert "javascript:" not in written


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from("*_~`[]()#>-+|\\.!") | st.characters(codec="ascii")))
def test_escaped_text_says_in_slack_what_it_said(text: str) -> None:
    # Here, not in Slack, \( and \[ begin a formula, and so does $.
    plain = " ".join("".join(it for it in text if it.isprintable() and it not in "&([$").split())
    escaped = "".join(f"\\{it}" if not it.isalnum() and it != " " else it for it in plain)
    written = slack_markdown(f"x{escaped}", complete=True)
    nodes = [it for it in parse(written).walk() if it.type in {"text", "text_special"}]
    assert "".join(it.content for it in nodes).replace("\u2060", "") == f"x{plain}"


# -- links, pings and receipts that are none ----------------------------------------------------

WRITERS = {
    "slack": lambda text: unpinged(slack_markdown(text, complete=True)),
    "discord": lambda text: discord_markdown(text, complete=True),
}
CODE = re.compile(
    r"^ *(`{3,})[^\n]*$(?:.|\n)*?^ *\1$|(?<!\\)(`+)(?!`).*?(?<!`)\2(?!`)", re.MULTILINE
)
MASK = re.compile(
    r"(?<!\\)\[([^\]\n]*)\]\((https?://([^/?#)\s]*)[^)\s]*)\)(?: \(([^)\s]*)\))?", re.IGNORECASE
)
"""A link as a careless reader of Markdown finds it, and the host beside it."""


@pytest.mark.parametrize("chat", WRITERS)
def test_a_link_says_where_it_leads(chat: str) -> None:
    for text, read in MASKED.items():
        written = WRITERS[chat](text)
        assert MASK.sub(r"\1 (\4)", written).replace("**", "") == read
    for text, read in HONEST.items():
        assert MASK.sub(r"\1", WRITERS[chat](text)) == read
    for text in NO_LINKS:
        assert "](" not in WRITERS[chat](text)


@pytest.mark.parametrize("chat", WRITERS)
@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=20).map("".join))
def test_no_text_hides_a_link_pings_or_looks_like_a_receipt(chat: str, text: str) -> None:
    written = WRITERS[chat](text)
    prose = CODE.sub("x", written)
    for shown, _, host, beside in MASK.findall(prose):
        assert host.lower() in {beside.replace("\\_", "_"), shown}, written
    if chat == "slack":
        assert not re.search(r"<[!@#]", written)
        assert not re.search(r"<\w+:[^>\s|]*\|", prose), written
    else:
        assert not re.search(r"(?<!\\)<[@#]", prose), written
        assert not re.search(r"^-# ", prose, re.MULTILINE), written


def test_a_host_is_shown_with_every_sign_of_it() -> None:
    assert slack_markdown("[a](https://b_c_d.org)", complete=True).endswith(r" (b\_c\_d.org)")
