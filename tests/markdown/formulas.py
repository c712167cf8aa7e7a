"""What is a formula and what is money: the same in the page and in the chats."""

from __future__ import annotations

FORMULAS = {
    "the area $A = \\pi r^2$.": ["A = \\pi r^2"],
    "$x$": ["x"],
    "面積は$x$です": ["x"],
    "$x$, $y$": ["x", "y"],
    "$-5$ and $0.5x$": ["-5", "0.5x"],
    "\\(a_1 * b_1\\) and \\(c\\)": ["a_1 * b_1", "c"],
    "so $$a+b$$ it is": ["a+b"],
    "so \\[a+b\\] it is": ["a+b"],
    "$$\nx\n$$": ["x"],
    "\\[\n- b\n= 2\n\\]": ["- b\n= 2"],
    "Then:\n$$\na | b\n$$\nand so on": ["a | b"],
    "- item\n  $$\n  y\n  $$": ["y"],
    "\\[ x \\].": ["x"],
    "**$x$**": ["x"],
    "|a|\n|-|\n|$x$|": ["x"],
}
"""Markdown → the TeX of its formulas."""

NO_FORMULAS = (
    "It costs $5 and $10.",
    "between $5 and 10$ each",
    "US$5 or A$6",
    "$5/month or $50/year",
    "$ x $",
    "$100",
    "a \\$x\\$ b",
    "`$x$`",
    "```\n$x$\n```",
    "$HOME and $PATH",
    "$x\n\ny$",
    "\\\\(x\\\\)",
    "$$\n\nx\n\n$$",
    "$$",
    "\\[ \\]",
    "\\(",
)
