"""Questions at a terminal, in the language of its user. What is secret is never shown."""

from __future__ import annotations

import getpass
from collections.abc import Sequence

from bot.errors import CommandFailed
from bot.texts import language_of, say

YES = {"en": ("y", "yes"), "ja": ("y", "yes", "はい")}
NO = {"en": ("n", "no"), "ja": ("n", "no", "いいえ")}


class Dialogue:
    """Asks, one question a line. The end of the input ends it: `CommandFailed`."""

    def __init__(self, locale: str) -> None:
        self.locale = locale

    def tell(self, key: str, **values: object) -> None:
        """Print a sentence."""
        print(say(self.locale, key, **values))

    def heading(self, title: str) -> None:
        """Print what the next questions are about."""
        print(f"\n== {title}")

    def yes(self, key: str, *, default: bool, **values: object) -> bool:
        """Ask what is answered by yes or no; Enter alone is the default."""
        language = language_of(self.locale)
        choice = "[Y/n]" if default else "[y/N]"
        while True:
            typed = self._line(f"{say(self.locale, key, **values)} {choice} ").lower()
            if not typed:
                return default
            if typed in YES[language] or typed in NO[language]:
                return typed in YES[language]
            self.tell("setup_yes_or_no")

    def choice(self, options: Sequence[str], key: str) -> int | str:
        """Ask for one of some lines. Returns: its index, or what was typed instead of a number."""
        for number, option in enumerate(options, start=1):
            print(f"  {number}. {option}")
        while True:
            typed = self._line(f"{say(self.locale, key)} [1] ")
            if not typed:
                return 0
            if not typed.isdecimal():
                return typed
            if 1 <= int(typed) <= len(options):
                return int(typed) - 1
            self.tell("setup_number", count=len(options))

    def secret(self, key: str, **values: object) -> str:
        """Ask for a token: nothing of it is shown. Quotation marks around it are left out."""
        try:
            typed = getpass.getpass(say(self.locale, key, **values))
        except EOFError:
            raise self._ended() from None
        return typed.strip().strip("\"'").strip()

    def _line(self, prompt: str) -> str:
        try:
            return input(prompt).strip()
        except EOFError:
            raise self._ended() from None

    def _ended(self) -> CommandFailed:
        print()
        return CommandFailed(say(self.locale, "setup_ended"))
