"""Which whole pages have been computed already, found by what stands in them and before them.

No torch here. A node is one whole page; the way from the root to it spells every token up to its
end. The placeholder of a picture is the same token for all pictures, so a page that a picture
reaches into is spelt with the picture's digest, and the root with the model: keys and values are
only ever shared by threads that agree in all of it.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from inference.pages import PAGE_TOKENS, PagePool


@dataclass(frozen=True, slots=True)
class PictureSpan:
    """Where a picture's placeholder tokens stand in a thread's tokens."""

    start: int
    end: int
    digest: str


PageKey: TypeAlias = tuple[tuple[int, ...], tuple[tuple[str, int], ...]]
"""Token ids, and (digest, offset) of every picture that reaches into the page.

The offset is that of the page's first token within the picture; negative where the picture begins
later in the page."""


def page_key(tokens: Sequence[int], pictures: Sequence[PictureSpan], page: int) -> PageKey:
    """What stands in a thread's page number `page`, which must be whole."""
    start, end = page * PAGE_TOKENS, (page + 1) * PAGE_TOKENS
    if end > len(tokens):
        raise ValueError(f"page {page} of {len(tokens)} tokens is not whole")
    reaching = tuple(
        (picture.digest, start - picture.start)
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
    """Threads that read it now; it and all before it stay."""
    last_used: int = 0


class PrefixTree:
    """The computed pages of one model. It holds the pages of its nodes."""

    def __init__(self, pool: PagePool, model: str) -> None:
        """Take the pool that pages go back to, and the model that computes them."""
        self._pool = pool
        self.model = model
        self._root = Node(key=((), ((model, 0),)), page=0, parent=None, ref_count=1)
        self._clock = 0
        self._size = 0
        self._num_unreferenced = 0
        # (last used, tie-break, node): leaves that may go. An entry counts only while it is true.
        self._leaves: list[tuple[int, int, Node]] = []
        self._pushed = 0

    def __len__(self) -> int:
        """Pages held."""
        return self._size

    @property
    def evictable(self) -> int:
        """Pages that `evict` could give back: those that no thread reads now."""
        return self._num_unreferenced

    @property
    def root(self) -> Node:
        """Where every thread begins."""
        return self._root

    def match(self, keys: Sequence[PageKey]) -> list[Node]:
        """The nodes that spell a thread's first pages, as far as there are any."""
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
        """Keep a node whose parent is kept."""
        if node.ref_count == 0:
            self._num_unreferenced -= 1
        node.ref_count += 1
        self._touch(node)

    def release(self, node: Node) -> None:
        """Let go of what `lock` or `add` kept; children first."""
        if node.ref_count < 1:
            raise ValueError("the node is not locked")
        node.ref_count -= 1
        self._touch(node)
        if node.ref_count == 0:
            self._num_unreferenced += 1
            self._push_if_evictable(node)

    def insert(self, parent: Node, key: PageKey, page: int) -> Node | None:
        """Take over a page that has been computed; the node is locked for the caller.

        Returns: `None` when the tree has such a page already: the caller keeps its own.
        """
        if key in parent.children:
            return None
        node = Node(key=key, page=page, parent=parent, ref_count=1)
        parent.children[key] = node
        self._size += 1
        self._touch(node)
        return node

    def evict(self, pages: int) -> int:
        """Give back up to `pages` pages: leaves first, the least recently used of them first.

        Returns: how many went.
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
        """Every node; for checks."""
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
            if len(self._leaves) > 2 * self._size + 64:  # most are outdated
                self._leaves = [entry for entry in self._leaves if self._is_current(entry)]
                heapq.heapify(self._leaves)

    @staticmethod
    def _is_current(entry: tuple[int, int, Node]) -> bool:
        last_used, _, node = entry
        is_in_tree = node.parent is not None
        return (
            is_in_tree and last_used == node.last_used and not node.ref_count and not node.children
        )
