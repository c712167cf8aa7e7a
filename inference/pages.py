"""The pages that threads' keys and values lie in: who holds which, and nothing of what is in them.

No torch here. A page holds the keys and values of `PAGE_TOKENS` tokens of one thread in every
layer. A thread's pages need not lie side by side: memory is never fragmented, and threads that
begin alike hold the same pages.
"""

from __future__ import annotations

PAGE_TOKENS = 16


def pages_for(tokens: int) -> int:
    """How many pages so many tokens fill."""
    return -(-tokens // PAGE_TOKENS)


class PagePool:
    """The free pages. Page 0 is nobody's: rows that pad a batch write there."""

    def __init__(self, num_pages: int) -> None:
        """Take the number of pages in all, page 0 included. At least 2."""
        if num_pages < 2:
            raise ValueError(f"a pool needs 2 pages or more, not {num_pages}")
        self.num_pages = num_pages
        self._free = list(range(num_pages - 1, 0, -1))
        self._is_free = [False] + [True] * (num_pages - 1)

    @property
    def num_usable(self) -> int:
        """Pages that can be held at all."""
        return self.num_pages - 1

    @property
    def num_free(self) -> int:
        """Pages nobody holds."""
        return len(self._free)

    def allocate(self) -> int:
        """Take a page. Raises: IndexError when none is free."""
        page = self._free.pop()
        self._is_free[page] = False
        return page

    def free(self, page: int) -> None:
        """Give a page back. Raises: ValueError for a page that is free, or page 0."""
        if page <= 0 or self._is_free[page]:
            raise ValueError(f"page {page} is not taken")
        self._is_free[page] = True
        self._free.append(page)
