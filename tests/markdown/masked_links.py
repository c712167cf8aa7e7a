"""Links whose text may deceive, for the page's Markdown and the chats'."""

from __future__ import annotations

MASKED = {
    "[bank.test](https://evil.test)": "bank.test (evil.test)",
    "[https://bank.test/login](https://evil.test/a)": "https://bank.test/login (evil.test)",
    "[bank.test](https://bank.test.evil.test/)": "bank.test (bank.test.evil.test)",
    "[bank．test](https://evil.test)": "bank．test (evil.test)",
    "[**bank**.test](https://evil.test)": "bank.test (evil.test)",
    "[evil.test, or bank.test](https://evil.test)": "evil.test, or bank.test (evil.test)",
    "[click](https://evil.test:8443/a)": "click (evil.test:8443)",
    "[click](HTTPS://EVIL.TEST)": "click (evil.test)",
    "[click](https://[2001:db8::1]/)": "click ([2001:db8::1])",
    "[аpple.test](https://xn--pple-43d.test)": "аpple.test (xn--pple-43d.test)",
    "![bank.test](https://evil.test/a.png)": "bank.test (evil.test)",
}
"""Markdown → what a reader reads: where the link leads stands beside its text."""
HONEST = {
    "[evil.test](https://evil.test/a)": "evil.test",
    "[See evil.test.](https://www.evil.test)": "See evil.test.",
    "[www.evil.test/b](https://evil.test)": "www.evil.test/b",
    "http://localhost:80/a": "http://localhost:80/a",
    "https://evil.test/a and <https://evil.test>": "https://evil.test/a and https://evil.test",
}
"""The text says where it leads."""
NO_LINKS = (
    "[bank.test](https://bank.test@evil.test)",
    "[a](https://bank%2Etest)",
    "[a](https:/evil.test)",
    "[a](https:evil.test)",
    "[a](//evil.test)",
    "[a](javascript:b)",
    "[a](JaVaScRiPt&colon;b)",
    "[a](data:text/html,b)",
    "[a](vbscript:b)",
    "[a](file:///etc)",
    "[a](mailto:a@evil.test)",
)
"""Nothing that leads anywhere."""
PIECES = (
    *(
        "[bank.test]",
        "(https://evil.test)",
        "(https://evil.test/a_b_c)",
        "[click]",
        "![x]",
        "](",
        "[",
    ),
    *("bank.test", "https://evil.test", "<https://evil.test|bank.test>", "<https://evil.test>"),
    *(
        "&lsqb;",
        "&rsqb;",
        "&lpar;https://evil.test&rpar;",
        "&lt;!here&gt;",
        "&#60;@U1&#62;",
        "&#45;# x",
    ),
    *(
        "<@U1>",
        "<!channel>",
        "<!subteam^S1>",
        "<#C1>",
        "<@&1>",
        "@everyone",
        "@here",
        "-# Picture 1: x",
    ),
    *(
        "\\",
        "`",
        "```",
        "\n",
        "\n\n",
        " ",
        "> ",
        "- ",
        "1. ",
        "*",
        "**",
        "_",
        "~~",
        "||",
        "|\n|-|\n",
        "$",
    ),
)
"""Of texts that are made to deceive."""
