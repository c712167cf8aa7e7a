"""Decides what the next step computes: which sequences decode, which are prefilled, which wait.

No torch here. The backend calls it on one thread: `plan` decides what the next step computes and
assumes that it will succeed; the runner starts the step; `complete` takes the sampled tokens. The
backend may plan another step before that (the runner is one step ahead of the host), so a sequence
has its known tokens and at most two more that are still on the device.

A plan decodes every running sequence, then prefills waiting ones up to a budget of tokens: decoding
never waits for somebody else's picture longer than one budget takes. When pages run out, pages that
no sequence uses go first (`PrefixTree.evict`); then the youngest sequence is preempted: it loses
its pages, waits, and is prefilled again.

Background sequences take what the others leave: none is admitted while another sequence waits, they
are preempted before all others, and also to admit one.

Where few sequences decode, a plan may propose tokens for them (`lookup.py`), which the step checks.
A sequence then gets one token or more, and no step with it is planned before that. Keys and values
of proposals that were wrong stay in its pages, behind its length, until they are overwritten.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence as SequenceOf
from itertools import count as counter
from typing import Generic

from inference.metrics import Counter as Counted
from inference.scheduling.lookup import Decoded, Proposer
from inference.scheduling.pages import PAGE_TOKENS, PagePool, pages_for
from inference.scheduling.prefix_tree import PageKey, PrefixTree, page_key
from inference.scheduling.sequences import Inputs, Plan, PrefillChunk, Sequence

PREEMPTIONS = Counted(
    "num_preemptions", "Sequences that lost their pages to older ones, to be prefilled again."
)

SHORT_PREFILL_TOKENS = 128
"""A request with at most this much to prefill is a short follow-up: it precedes new pictures."""

MAX_SKIPPED_STEPS = 16
"""After this many steps that prefill others instead, a sequence goes first."""


class Scheduler(Generic[Inputs]):
    """Lives as long as the engine."""

    def __init__(
        self,
        pool: PagePool,
        tree: PrefixTree,
        *,
        max_running: int,
        max_prefills: int = 16,
        proposer: Proposer | None = None,
    ) -> None:
        """Schedule over a pool of pages.

        Args:
            pool: must hold a sequence as long as the model's context.
            tree: over the same pool.
            max_running: most sequences that are prefilled or decode at once.
            max_prefills: most sequences that are prefilled in one step.
            proposer: proposes tokens; None: none are.
        """
        self._pool = pool
        self._tree = tree
        self._max_running = max_running
        self._max_prefills = max_prefills
        self._proposer = proposer
        self.decoded = Decoded()
        self._waiting: list[Sequence[Inputs]] = []
        self._running: list[Sequence[Inputs]] = []  # by arrival, youngest last
        self._arrivals = counter()
        # Next page that each running prefill computes: others that need the same page wait for it.
        # By whether the prefill is background work, for which only background sequences wait.
        self._claimed: dict[bool, set[tuple[int, PageKey]]] = {False: set(), True: set()}
        # Left out of new steps until none with it is in flight; then it can be preempted.
        self._held_back: Sequence[Inputs] | None = None
        self._is_short_of_pages = False

    @property
    def is_busy(self) -> bool:
        """Whether any sequence waits or runs."""
        return bool(self._waiting or self._running)

    @property
    def running(self) -> SequenceOf[Sequence[Inputs]]:
        """Sequences that hold pages."""
        return self._running

    def waiting(self) -> list[Sequence[Inputs]]:
        """Return the sequences that hold no pages, the next one to admit first."""
        active = Counter(sequence.user_id for sequence in self._running)
        return sorted(self._waiting, key=lambda sequence: _priority(sequence, active))

    def submit(self, sequence: Sequence[Inputs]) -> None:
        """Enqueue a new request. Raises: ValueError if the pages can never hold it."""
        if pages_for(min(sequence.max_tokens, len(sequence.tokens) + 1)) > self._pool.num_usable:
            raise ValueError("the request does not fit the cache")
        sequence.arrival = next(self._arrivals)
        sequence.prompt_tokens = len(sequence.tokens)
        self._enqueue(sequence)

    def end(self, sequence: Sequence[Inputs]) -> None:
        """Remove a request, waiting or running, and free its pages at once.

        A step in flight may still write to them. That is safe: their next owner's steps run later.
        """
        sequence.ended = True
        if sequence in self._waiting:
            self._waiting.remove(sequence)
        elif sequence in self._running:
            self._running.remove(sequence)
            self._free(sequence)

    # -- a step -------------------------------------------------------------------------------

    def plan(self, prefill_budget: int) -> Plan[Inputs] | None:
        """Plan the next step. Returns: `None` if there is nothing to compute.

        Args:
            prefill_budget: most tokens to prefill, over all sequences.
        """
        self._is_short_of_pages = False
        decodes = self._plan_decodes()
        positions = tuple(sequence.computed - 1 for sequence in decodes)
        proposals = self._propose(decodes)
        chunks = self._plan_prefills(prefill_budget)
        if not self._is_short_of_pages:
            self._held_back = None
        if not decodes and not chunks:
            return None
        return Plan(tuple(decodes), positions, tuple(chunks), proposals)

    def complete(self, plan: Plan[Inputs], sampled: SequenceOf[SequenceOf[int]]) -> None:
        """Take the tokens a step sampled, for each of `plan.sampled`.

        That is one token, and further ones where proposals were right (`lookup.accepted`).

        Steps complete in the order they were planned. Sequences that ended meanwhile are skipped.
        """
        for chunk in plan.chunks:
            if not chunk.sequence.ended:
                chunk.sequence.done = chunk.end
        for sequence, proposed, tokens in zip(plan.decodes, plan.proposed, sampled, strict=False):
            if not sequence.ended:
                sequence.done += len(tokens)
                self.decoded.count(len(proposed), len(tokens))
                if proposed:
                    sequence.computed, sequence.checking = sequence.done, 0
        for sequence, tokens in zip(plan.sampled, sampled, strict=True):
            if not sequence.ended:
                sequence.tokens.extend(tokens)
                sequence.pending -= 1
        for chunk in plan.chunks:
            self._insert_prefix(chunk.sequence)
        for sequence in plan.decodes:
            self._insert_prefix(sequence)

    def undo(self, plan: Plan[Inputs]) -> None:
        """Undo the newest plan, of which nothing was computed."""
        for chunk in plan.chunks:
            if not chunk.sequence.ended:
                chunk.sequence.computed = chunk.start
                chunk.sequence.is_prefilled = False
                chunk.sequence.pending -= int(chunk.is_last)
        for sequence in plan.decodes:
            if not sequence.ended:
                sequence.computed -= 1 + sequence.checking
                sequence.pending -= 1
                sequence.checking = 0

    def preempt(self, sequence: Sequence[Inputs]) -> None:
        """Free a running sequence's pages and enqueue it again, to be prefilled anew.

        Raises: ValueError while a step with it is in flight.
        """
        if sequence.is_in_flight:
            raise ValueError("a step with it is still in flight")
        self._running.remove(sequence)
        self._free(sequence)
        self._enqueue(sequence)
        PREEMPTIONS.add()

    @property
    def free_pages(self) -> SequenceOf[int]:
        """Pages that hold nothing: neither a running sequence's tokens nor a cached prefix."""
        return self._pool.free_pages

    @property
    def usage(self) -> float:
        """The share of the pages that running sequences hold, 0 to 1.

        What is cached and evictable counts as free.
        """
        free = self._pool.num_free + self._tree.evictable
        return 1 - free / self._pool.num_usable

    def shrink(self) -> None:
        """Free all pages that no sequence uses."""
        self._tree.evict(self._pool.num_pages)

    # -- deciding -----------------------------------------------------------------------------

    def _plan_decodes(self) -> list[Sequence[Inputs]]:
        decodes: list[Sequence[Inputs]] = []
        for sequence in list(self._running):
            can_decode = (
                sequence.is_prefilled
                and sequence.wants_token
                and not sequence.checking
                and sequence is not self._held_back
            )
            if not can_decode or not self._make_room(sequence, sequence.computed + 1):
                continue
            sequence.computed += 1
            sequence.pending += 1
            decodes.append(sequence)
        return decodes

    def _propose(self, decodes: list[Sequence[Inputs]]) -> tuple[tuple[int, ...], ...]:
        """Propose tokens for decoding sequences, where pages can be had without preempting any."""
        if self._proposer is None or not decodes:
            return ()
        found = []
        room = self._proposer.room(len(decodes))
        for sequence in decodes:
            proposed = self._proposer.propose(sequence, len(self._running), room)
            while proposed and not self._allocate(sequence, sequence.computed + len(proposed)):
                proposed = proposed[:-1]
            sequence.checking = len(proposed)
            sequence.computed += len(proposed)
            room -= len(proposed)
            found.append(proposed)
        return tuple(found) if any(found) else ()

    def _plan_prefills(self, budget: int) -> list[PrefillChunk[Inputs]]:
        prefilling = [sequence for sequence in self._running if not sequence.is_prefilled]
        if not prefilling and not self._waiting:
            return []
        chunks: list[PrefillChunk[Inputs]] = []
        not_admitted: list[Sequence[Inputs]] = []
        candidates = prefilling + self._waiting
        active = Counter(sequence.user_id for sequence in self._running)
        may_admit = True  # until one has to wait for pages or for a running sequence to end
        while candidates and budget > 0 and len(chunks) < self._max_prefills:
            sequence = min(candidates, key=lambda one: _priority(one, active))
            candidates.remove(sequence)
            if sequence in self._waiting:
                if self._is_claimed(sequence):
                    continue  # in a step or two the page is in the tree
                may_admit = may_admit and self._admit(sequence)
                if not may_admit:
                    not_admitted.append(sequence)
                    continue
                active[sequence.user_id] += 1
            count = sequence.prefill_size(budget)
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

    def _take_chunk(self, sequence: Sequence[Inputs], count: int) -> PrefillChunk[Inputs]:
        """Plan the next `count` tokens of a sequence that has pages for them."""
        start = sequence.computed
        sequence.computed += count
        sequence.is_prefilled = sequence.computed == len(sequence.tokens)
        if sequence.is_prefilled:
            sequence.pending += 1
            sequence.skipped_steps = 0  # until then it keeps the priority it was admitted with
        return PrefillChunk(sequence, start, count, is_last=sequence.is_prefilled)

    def _make_room(self, sequence: Sequence[Inputs], tokens: int) -> bool:
        """Allocate pages for a running sequence's first `tokens` tokens, preempting younger ones.

        Returns: False if it must sit out this step; it may have been preempted itself.
        """
        while not self._allocate(sequence, tokens):
            youngest = self._youngest_background() or self._running[-1]
            if not self._preempt_or_hold(youngest) or youngest is sequence:
                return False
        return True

    def _preempt_or_hold(self, sequence: Sequence[Inputs]) -> bool:
        """Preempt a sequence; False if it is in flight: then it is held back until it is not."""
        if sequence.is_in_flight:
            self._held_back = sequence
            self._is_short_of_pages = True
            return False
        self.preempt(sequence)
        return True

    def _youngest_background(self) -> Sequence[Inputs] | None:
        return next((one for one in reversed(self._running) if one.background), None)

    def _admit(self, sequence: Sequence[Inputs]) -> bool:
        """Move a waiting sequence to the running ones, with its cached pages, if there is room.

        Background sequences make room for one that is not.
        """
        if sequence.background and not all(other.background for other in self._waiting):
            return False
        while not self._admit_where_room_is(sequence):
            background = None if sequence.background else self._youngest_background()
            if background is None or not self._preempt_or_hold(background):
                return False
        return True

    def _admit_where_room_is(self, sequence: Sequence[Inputs]) -> bool:
        if len(self._running) >= self._max_running:
            return False
        found = self._tree.match(self._sharable_keys(sequence))
        for node in found:
            self._tree.acquire(node)
        missing = pages_for(len(sequence.tokens)) - len(found)
        # Reserve the pages that prefills in progress still need, plus one per decoding sequence;
        # otherwise we would admit a sequence only to preempt it.
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

    def _enqueue(self, sequence: Sequence[Inputs]) -> None:
        sequence.skipped_steps = 0
        found = self._tree.match(self._sharable_keys(sequence))
        left = len(sequence.tokens) - len(found) * PAGE_TOKENS
        sequence.is_short_prefill = left <= SHORT_PREFILL_TOKENS
        self._waiting.append(sequence)

    def _is_claimed(self, sequence: Sequence[Inputs]) -> bool:
        """Whether a running prefill is about to compute the first page this sequence lacks."""
        keys = self._sharable_keys(sequence)
        found = self._tree.match(keys)
        if len(found) == len(keys):
            return False
        parent = found[-1] if found else self._tree.root
        claim = id(parent), keys[len(found)]
        return claim in self._claimed[False] or (
            sequence.background and claim in self._claimed[True]
        )

    # -- pages --------------------------------------------------------------------------------

    def _allocate(self, sequence: Sequence[Inputs], tokens: int) -> bool:
        """Allocate pages for a sequence's first `tokens` tokens, evicting unused ones if needed."""
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

    def _insert_prefix(self, sequence: Sequence[Inputs]) -> None:
        """Insert the computed whole pages into the prefix tree, so that others can share them."""
        if sequence.ended:
            return
        keys = self._keys_of(sequence)
        whole = min(sequence.done, len(sequence.tokens)) // PAGE_TOKENS
        for index in range(len(sequence._chain), whole):
            parent = sequence._chain[-1] if sequence._chain else self._tree.root
            page = sequence.pages[index]
            node = self._tree.insert(parent, keys[index], page)
            if node is None:  # another sequence inserted the same page first
                node = parent.children[keys[index]]
                self._tree.acquire(node)
                sequence.pages[index] = node.page
                self._pool.free(page)
            sequence._own.discard(page)
            sequence._chain.append(node)
        self._claim_next_page(sequence)

    def _claim_next_page(self, sequence: Sequence[Inputs]) -> None:
        """Claim the page that this sequence computes next, while it is being prefilled."""
        self._drop_claim(sequence)
        index = len(sequence._chain)
        keys = self._keys_of(sequence)
        if sequence.done < sequence.prompt_tokens and index < len(keys):
            parent = sequence._chain[-1] if sequence._chain else self._tree.root
            sequence._claim = (id(parent), keys[index])
            self._claimed[sequence.background].add(sequence._claim)

    def _drop_claim(self, sequence: Sequence[Inputs]) -> None:
        if sequence._claim is not None:
            self._claimed[sequence.background].discard(sequence._claim)
            sequence._claim = None

    def _free(self, sequence: Sequence[Inputs]) -> None:
        for node in reversed(sequence._chain):
            self._tree.release(node)
        for page in sequence._own:
            self._pool.free(page)
        self._drop_claim(sequence)
        sequence._chain, sequence._own, sequence.pages = [], set(), []
        sequence.computed = sequence.done = 0
        sequence.is_prefilled = False

    def _sharable_keys(self, sequence: Sequence[Inputs]) -> list[PageKey]:
        """Keys of the whole pages before the last token, which must be computed to get the next."""
        return self._keys_of(sequence)[: (len(sequence.tokens) - 1) // PAGE_TOKENS]

    def _keys_of(self, sequence: Sequence[Inputs]) -> list[PageKey]:
        """Keys of the whole pages of the known tokens."""
        for page in range(len(sequence._keys), len(sequence.tokens) // PAGE_TOKENS):
            sequence._keys.append(page_key(sequence.tokens, sequence.pictures, page))
        return sequence._keys


def _priority(
    sequence: Sequence[Inputs], active: Counter[str]
) -> tuple[bool, bool, bool, int, int]:
    """Sort key: foreground, skipped too often, short, of a user with few running requests, oldest.

    A background sequence that was skipped too often precedes other background sequences alone.
    """
    if sequence.skipped_steps >= MAX_SKIPPED_STEPS:
        return sequence.background, False, False, 0, sequence.arrival
    others = active[sequence.user_id] - bool(sequence.pages)
    return sequence.background, True, not sequence.is_short_prefill, others, sequence.arrival
