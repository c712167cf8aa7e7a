"""What the device does next: which threads say a token, which are read, which wait.

No torch here. Two parties call it in turn, on one thread: `plan` says what the next step computes
and counts on its success; the runner starts the step; `complete` takes what was sampled. Another
step may be planned before that (the runner is one step ahead of what is known), so a sequence has
tokens that are known and at most two that are still on the device.

A plan holds every running thread that says a token, then, of those that are to be read, as many
tokens as a chunk holds: nobody's words wait longer for a picture of somebody else than one chunk
takes. When the pages do not suffice, what no thread reads now goes first (`PrefixTree.evict`); then
the youngest thread loses its pages, waits again, and is simply read again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass, field
from itertools import count as counter
from typing import Any

from inference.pages import PAGE_TOKENS, PagePool, pages_for
from inference.prefix_tree import Node, PageKey, PictureSpan, PrefixTree, page_key

SHORT_PREFILL_TOKENS = 128
"""What has no more than this left to read is a short follow-up: it goes ahead of new pictures."""

MAX_SKIPPED_STEPS = 16
"""Passed over by so many steps that read somebody else, a thread goes first."""


@dataclass(slots=True, eq=False)
class Sequence:
    """One request on its way through the engine. Its tokens only ever grow."""

    tokens: list[int]
    """The prompt and what has been said since."""
    pictures: tuple[PictureSpan, ...] = ()
    max_tokens: int = 1 << 30
    """Prompt and answer together: it ends at so many."""
    asker: str = ""
    """Whose request it is; askers are treated alike."""
    request: Any = None
    """The caller's."""

    arrival: int = 0
    prompt_tokens: int = 0
    computed: int = 0
    """Tokens whose keys and values are computed, planned steps included."""
    done: int = 0
    """The same without steps that have not completed."""
    pending: int = 0
    """Tokens that planned steps will have sampled."""
    pages: list[int] = field(default_factory=list)
    cached_tokens: int = 0
    """Of the prompt, what was found computed when it was first let in."""
    skipped_steps: int = 0
    is_prefilled: bool = False
    """Whether all of it is computed or planned: what follows it says itself."""
    is_short_prefill: bool = False
    ended: bool = False
    _keys: list[PageKey] = field(default_factory=list)
    _chain: list[Node] = field(default_factory=list)
    _own: set[int] = field(default_factory=set)
    _claim: tuple[int, PageKey] | None = None

    @property
    def is_in_flight(self) -> bool:
        """Whether a planned step of it has not completed."""
        return self.computed != self.done

    @property
    def wants_token(self) -> bool:
        """Whether one more may be sampled after those that are planned."""
        return len(self.tokens) + self.pending < self.max_tokens


@dataclass(frozen=True, slots=True)
class PrefillChunk:
    """A piece of a thread to be read: its tokens `start` up to `start + count`."""

    sequence: Sequence
    start: int
    count: int
    is_last: bool
    """Whether the thread's next token is sampled from its end."""

    @property
    def end(self) -> int:
        """The first token after it."""
        return self.start + self.count


@dataclass(frozen=True, slots=True)
class Plan:
    """One step of the device."""

    decodes: tuple[Sequence, ...]
    """Each says one token; its newest one, known or still on the device, stands at
    `computed - 1`."""
    positions: tuple[int, ...]
    """Of the decodes: where their newest token stands."""
    chunks: tuple[PrefillChunk, ...]

    @property
    def sampled(self) -> tuple[Sequence, ...]:
        """Those that get a token by it, in the order in which `complete` takes them."""
        return self.decodes + tuple(chunk.sequence for chunk in self.chunks if chunk.is_last)


class Scheduler:
    """Lives as long as the engine."""

    def __init__(
        self,
        pool: PagePool,
        tree: PrefixTree,
        *,
        max_running: int,
        max_prefills: int = 16,
    ) -> None:
        """Take what it schedules over.

        Args:
            pool: a thread as long as the model's context must fit it.
            tree: over the same pool.
            max_running: threads that are read or say something at once.
            max_prefills: threads that are read in one step.
        """
        self._pool = pool
        self._tree = tree
        self._max_running = max_running
        self._max_prefills = max_prefills
        self._waiting: list[Sequence] = []
        self._running: list[Sequence] = []  # by arrival: the youngest last
        self._arrivals = counter()
        # First page that a running thread is about to compute: others who need it wait for it.
        self._claimed: set[tuple[int, PageKey]] = set()
        # Left out of the steps, so that nothing of it is under way and its pages can be taken.
        self._held_back: Sequence | None = None
        self._is_short_of_pages = False

    @property
    def is_busy(self) -> bool:
        """Whether there is anything to plan or to wait for."""
        return bool(self._waiting or self._running)

    @property
    def running(self) -> SequenceOf[Sequence]:
        """Threads that hold pages."""
        return self._running

    def waiting(self) -> list[Sequence]:
        """Threads that hold none, the next one first."""
        active = Counter(sequence.asker for sequence in self._running)
        return sorted(self._waiting, key=lambda sequence: _priority(sequence, active))

    def submit(self, sequence: Sequence) -> None:
        """Let a new request wait. Raises: ValueError when the pages could never hold it."""
        if pages_for(min(sequence.max_tokens, len(sequence.tokens) + 1)) > self._pool.num_usable:
            raise ValueError("the request does not fit the cache")
        sequence.arrival = next(self._arrivals)
        sequence.prompt_tokens = len(sequence.tokens)
        self._enqueue(sequence)

    def end(self, sequence: Sequence) -> None:
        """Take a request out, wherever it is; its pages are free at once.

        A step that is under way may still write to them: whoever gets them next is computed after.
        """
        sequence.ended = True
        if sequence in self._waiting:
            self._waiting.remove(sequence)
        elif sequence in self._running:
            self._running.remove(sequence)
            self._free(sequence)

    # -- a step -------------------------------------------------------------------------------

    def plan(self, prefill_budget: int) -> Plan | None:
        """Say what the next step computes; `None`: nothing can be.

        Args:
            prefill_budget: read at most so many, of all threads together.
        """
        self._is_short_of_pages = False
        decodes = self._plan_decodes()
        chunks = self._plan_prefills(prefill_budget)
        if not self._is_short_of_pages:
            self._held_back = None
        if not decodes and not chunks:
            return None
        return Plan(tuple(decodes), tuple(s.computed - 1 for s in decodes), tuple(chunks))

    def complete(self, plan: Plan, sampled: SequenceOf[int]) -> None:
        """Take what a step has sampled, one token for each of `plan.sampled`.

        The steps complete in the order they were planned. Threads that ended meanwhile are passed
        over.
        """
        for chunk in plan.chunks:
            if not chunk.sequence.ended:
                chunk.sequence.done = chunk.end
        for sequence in plan.decodes:
            if not sequence.ended:
                sequence.done += 1
        for sequence, token in zip(plan.sampled, sampled, strict=True):
            if not sequence.ended:
                sequence.tokens.append(token)
                sequence.pending -= 1
        for chunk in plan.chunks:
            self._insert_prefix(chunk.sequence)
        for sequence in plan.decodes:
            self._insert_prefix(sequence)

    def undo(self, plan: Plan) -> None:
        """Take back the newest plan: nothing of it was computed."""
        for chunk in plan.chunks:
            if not chunk.sequence.ended:
                chunk.sequence.computed = chunk.start
                chunk.sequence.is_prefilled = False
                chunk.sequence.pending -= int(chunk.is_last)
        for sequence in plan.decodes:
            if not sequence.ended:
                sequence.computed -= 1
                sequence.pending -= 1

    def preempt(self, sequence: Sequence) -> None:
        """Take a running thread's pages away; it waits, and is read again.

        Raises: ValueError while a step of it is under way.
        """
        if sequence.is_in_flight:
            raise ValueError("a step of it is still under way")
        self._running.remove(sequence)
        self._free(sequence)
        self._enqueue(sequence)

    def shrink(self) -> None:
        """Give back all pages that no thread reads now."""
        self._tree.evict(self._pool.num_pages)

    # -- deciding -----------------------------------------------------------------------------

    def _plan_decodes(self) -> list[Sequence]:
        decodes: list[Sequence] = []
        for sequence in list(self._running):
            can_decode = (
                sequence.is_prefilled and sequence.wants_token and sequence is not self._held_back
            )
            if not can_decode or not self._make_room(sequence, sequence.computed + 1):
                continue
            sequence.computed += 1
            sequence.pending += 1
            decodes.append(sequence)
        return decodes

    def _plan_prefills(self, budget: int) -> list[PrefillChunk]:
        prefilling = [sequence for sequence in self._running if not sequence.is_prefilled]
        if not prefilling and not self._waiting:
            return []
        chunks: list[PrefillChunk] = []
        not_admitted: list[Sequence] = []
        candidates = prefilling + self._waiting
        active = Counter(sequence.asker for sequence in self._running)
        may_admit = True  # until somebody has to wait for pages or a place
        while candidates and budget > 0 and len(chunks) < self._max_prefills:
            sequence = min(candidates, key=lambda one: _priority(one, active))
            candidates.remove(sequence)
            if sequence in self._waiting:
                if self._is_claimed(sequence):
                    continue  # a step or two, and it finds the page computed
                may_admit = may_admit and self._admit(sequence)
                if not may_admit:
                    not_admitted.append(sequence)
                    continue
                active[sequence.asker] += 1
            count = min(budget, len(sequence.tokens) - sequence.computed)
            if sequence is self._held_back or not self._make_room(
                sequence, sequence.computed + count
            ):
                may_admit = False
                continue
            chunks.append(self._take_chunk(sequence, count))
            budget -= count
        if chunks:
            for sequence in not_admitted + candidates:
                sequence.skipped_steps += 1
        return chunks

    def _take_chunk(self, sequence: Sequence, count: int) -> PrefillChunk:
        """The next `count` tokens of a thread that has room for them."""
        start = sequence.computed
        sequence.computed += count
        sequence.is_prefilled = sequence.computed == len(sequence.tokens)
        if sequence.is_prefilled:
            sequence.pending += 1
            sequence.skipped_steps = 0  # until then it stays as urgent as it was let in
        return PrefillChunk(sequence, start, count, is_last=sequence.is_prefilled)

    def _make_room(self, sequence: Sequence, tokens: int) -> bool:
        """Pages for a running thread's first `tokens` tokens, if need be from somebody younger.

        Returns: false when it must do without in this step; it may have lost its own.
        """
        while not self._allocate(sequence, tokens):
            youngest = self._running[-1]
            if youngest.is_in_flight:
                self._held_back = youngest
                self._is_short_of_pages = True
                return False
            self.preempt(youngest)
            if youngest is sequence:
                return False
        return True

    def _admit(self, sequence: Sequence) -> bool:
        """Give a waiting thread a place, with the pages that are computed already."""
        if len(self._running) >= self._max_running:
            return False
        found = self._tree.match(self._sharable_keys(sequence))
        for node in found:
            self._tree.acquire(node)
        missing = pages_for(len(sequence.tokens)) - len(found)
        # What those who are read still lack, and a page for everybody who is talking: or a thread
        # would be let in only to be sent out.
        reserve = sum(
            1 if other.is_prefilled else max(1, pages_for(len(other.tokens)) - len(other.pages))
            for other in self._running
        )
        if self._running and self._pool.num_free + self._tree.evictable < missing + reserve:
            for node in reversed(found):
                self._tree.release(node)
            return False
        sequence._chain = found
        sequence.pages = [node.page for node in found]
        sequence.computed = sequence.done = len(found) * PAGE_TOKENS
        if len(sequence.tokens) == sequence.prompt_tokens:
            sequence.cached_tokens = sequence.computed
        self._waiting.remove(sequence)
        index = sum(other.arrival < sequence.arrival for other in self._running)
        self._running.insert(index, sequence)
        self._claim_next_page(sequence)
        return True

    def _enqueue(self, sequence: Sequence) -> None:
        sequence.skipped_steps = 0
        found = self._tree.match(self._sharable_keys(sequence))
        left = len(sequence.tokens) - len(found) * PAGE_TOKENS
        sequence.is_short_prefill = left <= SHORT_PREFILL_TOKENS
        self._waiting.append(sequence)

    def _is_claimed(self, sequence: Sequence) -> bool:
        """Whether a running thread is about to compute the very page this one lacks first."""
        keys = self._sharable_keys(sequence)
        found = self._tree.match(keys)
        if len(found) == len(keys):
            return False
        parent = found[-1] if found else self._tree.root
        return (id(parent), keys[len(found)]) in self._claimed

    # -- pages --------------------------------------------------------------------------------

    def _allocate(self, sequence: Sequence, tokens: int) -> bool:
        """Pages for a thread's first `tokens` tokens, if there are any or can be made free."""
        missing = pages_for(tokens) - len(sequence.pages)
        if missing > self._pool.num_free:
            self._tree.evict(missing - self._pool.num_free)
        if missing > self._pool.num_free:
            return False
        for _ in range(missing):
            page = self._pool.allocate()
            sequence.pages.append(page)
            sequence._own.add(page)
        return True

    def _insert_prefix(self, sequence: Sequence) -> None:
        """Let others share what has been computed."""
        if sequence.ended:
            return
        keys = self._keys_of(sequence)
        whole = min(sequence.done, len(sequence.tokens)) // PAGE_TOKENS
        for index in range(len(sequence._chain), whole):
            parent = sequence._chain[-1] if sequence._chain else self._tree.root
            page = sequence.pages[index]
            node = self._tree.insert(parent, keys[index], page)
            if node is None:  # somebody was quicker, and computed the same
                node = parent.children[keys[index]]
                self._tree.acquire(node)
                sequence.pages[index] = node.page
                self._pool.free(page)
            sequence._own.discard(page)
            sequence._chain.append(node)
        self._claim_next_page(sequence)

    def _claim_next_page(self, sequence: Sequence) -> None:
        """Say which page this thread computes next, as long as it is being read."""
        self._drop_claim(sequence)
        index = len(sequence._chain)
        keys = self._keys_of(sequence)
        if sequence.done < sequence.prompt_tokens and index < len(keys):
            parent = sequence._chain[-1] if sequence._chain else self._tree.root
            sequence._claim = (id(parent), keys[index])
            self._claimed.add(sequence._claim)

    def _drop_claim(self, sequence: Sequence) -> None:
        if sequence._claim is not None:
            self._claimed.discard(sequence._claim)
            sequence._claim = None

    def _free(self, sequence: Sequence) -> None:
        for node in reversed(sequence._chain):
            self._tree.release(node)
        for page in sequence._own:
            self._pool.free(page)
        self._drop_claim(sequence)
        sequence._chain, sequence._own, sequence.pages = [], set(), []
        sequence.computed = sequence.done = 0
        sequence.is_prefilled = False

    def _sharable_keys(self, sequence: Sequence) -> list[PageKey]:
        """The whole pages before the last token, which must be computed for its successor."""
        return self._keys_of(sequence)[: (len(sequence.tokens) - 1) // PAGE_TOKENS]

    def _keys_of(self, sequence: Sequence) -> list[PageKey]:
        """What stands in the whole pages of the known tokens."""
        for page in range(len(sequence._keys), len(sequence.tokens) // PAGE_TOKENS):
            sequence._keys.append(page_key(sequence.tokens, sequence.pictures, page))
        return sequence._keys


def _priority(sequence: Sequence, active: Counter[str]) -> tuple[bool, bool, int, int]:
    """Sort key: passed over too often, short, of an asker with little under way, first come."""
    if sequence.skipped_steps >= MAX_SKIPPED_STEPS:
        return False, False, 0, sequence.arrival
    others = active[sequence.asker] - bool(sequence.pages)
    return True, not sequence.is_short_prefill, others, sequence.arrival
