"""Prefix cache: finds computed pages by their content and everything before them.

No torch here. A node is one whole page; the path from the root to it spells every token up to its
end. All pictures have the same placeholder token, so the key of a page that a picture overlaps
includes the picture's digest, and the root's key the model: sequences share keys and values only if
they agree in all of it.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from inference.scheduling.pages import PAGE_TOKENS, PagePool


@dataclass(frozen=True, slots=True)
class PictureSpan:
    """The range of a picture's placeholder tokens in a sequence.

    Its family may write others between them, for example at the end of each row.
    """

    start: int
    """Of the first placeholder."""
    end: int
    """Behind the last."""
    digest: str
    grid: tuple[int, int] | None = None
    """Rows and columns of its embeddings, in models whose positions follow them."""
    is_whole: bool = False
    """Its tokens attend to each other both ways: one step prefills all of them."""


PictureKey: TypeAlias = tuple[str, int, tuple[int, int] | None]
PageKey: TypeAlias = tuple[tuple[int, ...], tuple[PictureKey, ...]]
"""Token ids, and (digest, offset, grid) of every picture that overlaps the page.

The offset is that of the page's first token within the picture; negative if the picture starts
later in the page. Positions behind a picture follow from its grid, which the path holds."""


def page_key(tokens: Sequence[int], pictures: Sequence[PictureSpan], page: int) -> PageKey:
    """Return the key of a sequence's page `page`. Raises: ValueError if it is not whole."""
    start, end = page * PAGE_TOKENS, (page + 1) * PAGE_TOKENS
    if end > len(tokens):
        raise ValueError(f"page {page} of {len(tokens)} tokens is not whole")
    reaching = tuple(
        (picture.digest, start - picture.start, picture.grid)
        for picture in pictures
        if picture.start < end and start < picture.end
    )
    return tuple(tokens[start:end]), reaching


@dataclass(slots=True, eq=False)
class Node:
    """One whole page in the tree."""

    key: PageKey
    page: int
    parent: Node | None
    children: dict[PageKey, Node] = field(default_factory=dict)
    ref_count: int = 0
    """Sequences that use it now; while there are any, it and its ancestors stay."""
    last_used: int = 0


class PrefixTree:
    """The computed pages of one model. It owns the pages of its nodes."""

    def __init__(self, pool: PagePool, model: str) -> None:
        """Make an empty tree over a pool, for the pages that one model computes."""
        self._pool = pool
        self.model = model
        self._root = Node(key=((), ((model, 0, None),)), page=0, parent=None, ref_count=1)
        self._clock = 0
        self._size = 0
        self._num_unreferenced = 0
        # Heap of (last used, tie-break, node): evictable leaves. Stale entries are skipped.
        self._leaves: list[tuple[int, int, Node]] = []
        self._pushed = 0

    def __len__(self) -> int:
        """Return the number of pages in the tree."""
        return self._size

    @property
    def evictable(self) -> int:
        """Pages that `evict` can free: those that no sequence uses."""
        return self._num_unreferenced

    @property
    def root(self) -> Node:
        """The empty prefix."""
        return self._root

    def match(self, keys: Sequence[PageKey]) -> list[Node]:
        """Return the nodes of the longest cached prefix of `keys`."""
        nodes: list[Node] = []
        node = self._root
        for key in keys:
            found = node.children.get(key)
            if found is None:
                break
            nodes.append(found)
            node = found
        return nodes

    def acquire(self, node: Node) -> None:
        """Reference a node, so that it is not evicted; its parent must be referenced."""
        if node.ref_count == 0:
            self._num_unreferenced -= 1
        node.ref_count += 1
        self._touch(node)

    def release(self, node: Node) -> None:
        """Drop a reference taken by `acquire` or `insert`; children first."""
        if node.ref_count < 1:
            raise ValueError("the node has no reference")
        node.ref_count -= 1
        self._touch(node)
        if node.ref_count == 0:
            self._num_unreferenced += 1
            self._push_if_evictable(node)

    def insert(self, parent: Node, key: PageKey, page: int) -> Node | None:
        """Insert a computed page, which the tree then owns; the caller holds a reference.

        Returns: `None` if the tree already has an equal page; the caller keeps its own.
        """
        if key in parent.children:
            return None
        node = Node(key=key, page=page, parent=parent, ref_count=1)
        parent.children[key] = node
        self._size += 1
        self._touch(node)
        return node

    def evict(self, pages: int) -> int:
        """Free up to `pages` pages: leaves only, the least recently used first.

        Returns: how many were freed.
        """
        gone = 0
        while gone < pages and self._leaves:
            entry = heapq.heappop(self._leaves)
            node, parent = entry[-1], entry[-1].parent
            if parent is None or not self._is_current(entry):
                continue
            del parent.children[node.key]
            node.parent = None
            self._pool.free(node.page)
            self._size -= 1
            self._num_unreferenced -= 1
            gone += 1
            if parent is not self._root:
                self._push_if_evictable(parent)
        return gone

    def nodes(self) -> Iterator[Node]:
        """Yield every node; for checks."""
        open_nodes = list(self._root.children.values())
        while open_nodes:
            node = open_nodes.pop()
            yield node
            open_nodes.extend(node.children.values())

    def _touch(self, node: Node) -> None:
        self._clock += 1
        node.last_used = self._clock

    def _push_if_evictable(self, node: Node) -> None:
        if node.ref_count == 0 and not node.children:
            self._pushed += 1
            heapq.heappush(self._leaves, (node.last_used, self._pushed, node))
            if len(self._leaves) > 2 * self._size + 64:  # most are stale
                self._leaves = [entry for entry in self._leaves if self._is_current(entry)]
                heapq.heapify(self._leaves)

    @staticmethod
    def _is_current(entry: tuple[int, int, Node]) -> bool:
        last_used, _, node = entry
        is_in_tree = node.parent is not None
        return (
            is_in_tree and last_used == node.last_used and not node.ref_count and not node.children
        )
