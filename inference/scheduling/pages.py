"""Allocation of the KV cache's pages: which are free, but not what they contain.

No torch here. A page holds the keys and values of `PAGE_TOKENS` tokens of one sequence in every
layer. A sequence's pages need not be contiguous: memory never fragments, and sequences with a
common prefix share its pages.
"""

from __future__ import annotations

PAGE_TOKENS = 16


def pages_for(tokens: int) -> int:
    """Return how many pages hold `tokens` tokens."""
    return -(-tokens // PAGE_TOKENS)


class PagePool:
    """The free pages. Page 0 is never allocated: a batch's padding rows write there."""

    def __init__(self, num_pages: int) -> None:
        """Make a pool of `num_pages` pages, page 0 included. Raises: ValueError below 2."""
        if num_pages < 2:
            raise ValueError(f"a pool needs 2 pages or more, not {num_pages}")
        self.num_pages = num_pages
        self._free = list(range(num_pages - 1, 0, -1))
        self._is_free = [False] + [True] * (num_pages - 1)

    @property
    def num_usable(self) -> int:
        """Pages that can be allocated, free or not."""
        return self.num_pages - 1

    @property
    def num_free(self) -> int:
        """Pages that are free."""
        return len(self._free)

    @property
    def free_pages(self) -> tuple[int, ...]:
        """The pages that are free."""
        return tuple(self._free)

    def allocate(self) -> int:
        """Allocate a page. Raises: IndexError if none is free."""
        page = self._free.pop()
        self._is_free[page] = False
        return page

    def free(self, page: int) -> None:
        """Free a page. Raises: ValueError for page 0, or a page that is free already."""
        if page <= 0 or self._is_free[page]:
            raise ValueError(f"page {page} is not allocated")
        self._is_free[page] = True
        self._free.append(page)
