"""The prefix tree: which pages are shared, and which are evicted first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.scheduling.pages import PAGE_TOKENS, PagePool, pages_for
from inference.scheduling.prefix_tree import Node, PageKey, PictureSpan, PrefixTree, page_key

PLACEHOLDER = 7


def keys(tokens: list[int], *pictures: PictureSpan) -> list[PageKey]:
    return [page_key(tokens, pictures, page) for page in range(len(tokens) // PAGE_TOKENS)]


def keep(tree: PrefixTree, pool: PagePool, pages: list[PageKey]) -> list[Node]:
    """Insert a sequence's pages and release them."""
    chain = tree.match(pages)
    for node in chain:
        tree.acquire(node)
    for key in pages[len(chain) :]:
        added = tree.insert(chain[-1] if chain else tree.root, key, pool.allocate())
        assert added is not None
        chain.append(added)
    for node in reversed(chain):
        tree.release(node)
    return chain


@pytest.fixture
def pool() -> PagePool:
    return PagePool(100)


@pytest.fixture
def tree(pool: PagePool) -> PrefixTree:
    return PrefixTree(pool, "model")


def test_a_sequence_matches_the_pages_of_its_longest_cached_prefix(
    tree: PrefixTree, pool: PagePool
) -> None:
    kept = keep(tree, pool, keys(list(range(64))))
    assert tree.match(keys([*range(48), *range(100, 116)])) == kept[:3]


def test_equal_pages_after_different_prefixes_are_not_shared(
    tree: PrefixTree, pool: PagePool
) -> None:
    keep(tree, pool, keys([1] * 16 + [3] * 16))
    assert tree.match(keys([2] * 16 + [3] * 16)) == []


def test_a_picture_never_serves_a_sequence_about_another(tree: PrefixTree, pool: PagePool) -> None:
    tokens = [1] * 10 + [PLACEHOLDER] * 40 + [2] * 14
    keep(tree, pool, keys(tokens, PictureSpan(10, 50, "digest of a")))
    assert tree.match(keys(tokens, PictureSpan(10, 50, "digest of b"))) == []
    assert len(tree.match(keys(tokens, PictureSpan(10, 50, "digest of a")))) == 4


def test_the_same_picture_at_another_position_is_not_shared(
    tree: PrefixTree, pool: PagePool
) -> None:
    tokens = [PLACEHOLDER] * 32
    keep(tree, pool, keys(tokens, PictureSpan(0, 32, "a")))
    assert tree.match(keys(tokens, PictureSpan(8, 32, "a"))) == []
    assert (
        tree.match(keys(tokens, PictureSpan(0, 16, "a"), PictureSpan(16, 32, "b")))
        == (tree.match(keys(tokens, PictureSpan(0, 32, "a")))[:1])
    )


def test_two_pictures_in_one_page_are_both_in_its_key() -> None:
    first = page_key([7] * 16, [PictureSpan(0, 8, "a"), PictureSpan(8, 16, "b")], 0)
    second = page_key([7] * 16, [PictureSpan(0, 8, "a"), PictureSpan(8, 16, "c")], 0)
    assert first != second


def test_a_page_that_is_not_whole_has_no_key() -> None:
    with pytest.raises(ValueError, match="not whole"):
        page_key([1] * 20, (), 1)


def test_the_least_recently_used_leaves_are_evicted_first(tree: PrefixTree, pool: PagePool) -> None:
    old = keep(tree, pool, keys([1] * 16 + [2] * 16))
    new = keep(tree, pool, keys([1] * 16 + [3] * 16))
    assert tree.evict(1) == 1
    assert [node.page for node in tree.nodes()] == [old[0].page, new[1].page]
    assert tree.evict(10) == 2
    assert (len(tree), pool.num_free) == (0, pool.num_usable)


def test_pages_in_use_are_not_evicted(tree: PrefixTree, pool: PagePool) -> None:
    chain = keep(tree, pool, keys([1] * 48))
    for node in chain[:2]:
        tree.acquire(node)
    assert tree.evictable == 1
    assert tree.evict(10) == 1
    assert tree.match(keys([1] * 48)) == chain[:2]


def test_a_page_that_the_tree_already_has_is_not_inserted(tree: PrefixTree, pool: PagePool) -> None:
    [node] = keep(tree, pool, keys([1] * 16))
    assert tree.insert(tree.root, node.key, pool.allocate()) is None


def test_a_page_cannot_be_freed_twice(pool: PagePool) -> None:
    page = pool.allocate()
    pool.free(page)
    for not_allocated in (page, 0):
        with pytest.raises(ValueError, match="not allocated"):
            pool.free(not_allocated)


@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=6), max_size=40), st.data())
def test_pages_are_in_the_tree_or_free_and_eviction_frees_every_unused_one(
    sequences: list[list[int]], data: st.DataObject
) -> None:
    pool = PagePool(400)
    tree = PrefixTree(pool, "model")
    in_use: list[list[Node]] = []
    for sequence in sequences:
        chain = keep(tree, pool, keys([token for token in sequence for _ in range(PAGE_TOKENS)]))
        if data.draw(st.booleans()):
            for node in chain:
                tree.acquire(node)
            in_use.append(chain)
        if data.draw(st.booleans()):
            tree.evict(data.draw(st.integers(0, 5)))
        assert len(list(tree.nodes())) == len(tree) == pool.num_usable - pool.num_free
    unused = tree.evictable
    assert tree.evict(1000) == unused
    kept = {node.page for chain in in_use for node in chain}
    assert {node.page for node in tree.nodes()} == kept
    for chain in in_use:
        for node in reversed(chain):
            tree.release(node)
    tree.evict(1000)
    assert pool.num_free == pool.num_usable


@given(st.integers(0, 10_000))
def test_pages_for_is_the_smallest_sufficient_number(tokens: int) -> None:
    pages = pages_for(tokens)
    assert (pages - 1) * PAGE_TOKENS < tokens <= pages * PAGE_TOKENS or tokens == pages == 0
