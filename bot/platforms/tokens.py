"""What can be seen of a token without asking its platform. Its text is never quoted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeAlias

from pydantic import SecretStr

_PLACEHOLDER = re.compile(
    r"…|\.\.\.|<.*>|\byour\b|x{4}|change.?me|replace|placeholder|example", re.IGNORECASE
)
_QUOTED = re.compile(r"""["'“”‘’`].*["'“”‘’`]""", re.DOTALL)


Token: TypeAlias = tuple[SecretStr | None, re.Pattern[str], str]
"""Its value, what it looks like, and the same in words."""


def token_problems(tokens: Mapping[str, Token]) -> list[str]:
    """Look at each token by its setting's name; one may have been put in another's place.

    Returns: for each that is wrong, a sentence that names the setting and what to do.
    """
    problems: list[str] = []
    for name, (secret, shape, form) in tokens.items():
        if secret is None:
            continue
        others = {other: tokens[other][1] for other in tokens if other != name}
        wrong = token_problem(secret.get_secret_value(), shape=shape, form=form, others=others)
        if wrong is not None:
            problems.append(f"{name}: {wrong}.")
    return problems


def token_problem(
    value: str, *, shape: re.Pattern[str], form: str, others: Mapping[str, re.Pattern[str]]
) -> str | None:
    """What is wrong with a token's looks, as it follows `NAME: `; `None`: nothing is.

    Args:
        shape: what it looks like.
        form: the same in words: `xoxb-…`.
        others: tokens that it may have been mistaken for, by the setting that they belong in.
    """
    if value != value.strip():
        return "there is a space or a line break around it: remove it"
    if _QUOTED.fullmatch(value):
        return "there are quotation marks around it: remove them"
    for name, its_shape in others.items():
        if its_shape.fullmatch(value) and not shape.fullmatch(value):
            return f"what it holds belongs in {name}; this one looks like {form}"
    if _PLACEHOLDER.search(value.replace("_", " ").replace("-", " ")):
        return f"it is still the example's text: put the real one there, which looks like {form}"
    if not shape.fullmatch(value):
        return f"it does not look like one ({form}): copy it anew, the whole of it"
    return None
