"""A device whose memory remembers what was written where, and requests for it.

For each token it computes, this device stores the whole prefix up to that token. A step that reads
anything but its own sequence's prefix (a page of another picture, a page that was freed too early)
fails at once, and a sequence's answer depends only on its own tokens and pictures.
"""

from __future__ import annotations

import hashlib
import random
from collections import deque
from collections.abc import Callable

from inference.scheduling.lookup import Proposer, RowCosts, accepted
from inference.scheduling.pages import PAGE_TOKENS, PagePool
from inference.scheduling.prefix_tree import PictureSpan, PrefixTree
from inference.scheduling.scheduler import Scheduler
from inference.scheduling.sequences import Plan, Sequence

PLACEHOLDER = 5


def content_of(sequence: Sequence[None], tokens: list[int]) -> list[object]:
    """The tokens, with a picture in the place of its placeholders, as the model sees them."""
    content: list[object] = list(tokens)
    for picture in sequence.pictures:
        for position in range(picture.start, min(picture.end, len(tokens))):
            content[position] = (picture.digest, position - picture.start)
    return content


def next_token(prefix: list[object]) -> int:
    return hashlib.sha256(repr(prefix).encode()).digest()[0] + 10


def answer_alone(
    sequence: Sequence[None],
    prompt: list[int],
    length: int,
    model: Callable[[list[object]], int] = next_token,
) -> list[int]:
    tokens = list(prompt)
    for _ in range(length):
        tokens.append(model(content_of(sequence, tokens)))
    return tokens[len(prompt) :]


class Device:
    """Runs plans in order; the host learns the sampled tokens when the test completes a step."""

    def __init__(
        self, scheduler: Scheduler[None], pool: PagePool, *, chunk: int, ahead: int
    ) -> None:
        self.scheduler = scheduler
        self.pool = pool
        self.chunk = chunk
        self.ahead = ahead
        self.memory: dict[tuple[int, int], list[object]] = {}
        self.in_flight: deque[tuple[Plan[None], list[list[int]]]] = deque()
        self.next_token: Callable[[list[object]], int] = next_token
        self.sampled: dict[Sequence[None], list[int]] = {}  # tokens that the device has

    def known(self, sequence: Sequence[None]) -> list[int]:
        return self.sampled.setdefault(sequence, list(sequence.tokens))

    def start(self, plan: Plan[None]) -> None:
        """Compute a step; its writes are visible from now on."""
        proposals = plan.proposed
        rows = [
            (sequence, at, 1 + len(proposed), proposed)
            for sequence, at, proposed in zip(plan.decodes, plan.positions, proposals, strict=True)
        ]
        rows += [(chunk.sequence, chunk.start, chunk.count, ()) for chunk in plan.chunks]
        tables = {id(sequence): list(sequence.pages) for sequence, *_ in rows}
        for sequence, start, count, proposed in rows:
            content = content_of(sequence, [*self.known(sequence), *proposed])
            for position in range(start, start + count):
                page = tables[id(sequence)][position // PAGE_TOKENS]
                assert page != 0
                self.memory[page, position % PAGE_TOKENS] = content[: position + 1]
        for sequence, start, count, proposed in rows:
            content = content_of(sequence, [*self.known(sequence), *proposed])
            for position in range(start + count):
                page = tables[id(sequence)][position // PAGE_TOKENS]
                assert self.memory[page, position % PAGE_TOKENS] == content[: position + 1]
        out = []
        for index, sequence in enumerate(plan.sampled):
            proposed = proposals[index] if index < len(proposals) else ()
            known = self.known(sequence)
            chosen = [
                self.next_token(content_of(sequence, [*known, *proposed[:count]]))
                for count in range(len(proposed) + 1)
            ]
            out.append(accepted(proposed, chosen))
            known += out[-1]
        self.in_flight.append((plan, out))

    def finish_oldest(self) -> None:
        plan, out = self.in_flight.popleft()
        self.scheduler.complete(plan, out)
        for sequence in plan.sampled:
            if not sequence.ended and len(sequence.tokens) >= sequence.max_tokens:
                self.scheduler.end(sequence)

    def plan(self) -> Plan[None] | None:
        return self.scheduler.plan(self.chunk)

    def step(self) -> Plan[None] | None:
        plan = self.plan()
        if plan is not None:
            self.start(plan)
        if self.in_flight and (plan is None or len(self.in_flight) > self.ahead):
            self.finish_oldest()
        return plan

    def run(self, steps: int = 100_000) -> None:
        while (self.scheduler.is_busy or self.in_flight) and steps:
            self.step()
            steps -= 1
        assert not self.scheduler.is_busy, "the work does not end"


def make_engine(
    *,
    pages: int = 400,
    running: int = 8,
    chunk: int = 64,
    ahead: int = 1,
    costs: RowCosts | None = None,
) -> tuple[Scheduler[None], PagePool, PrefixTree, Device]:
    pool = PagePool(pages)
    tree = PrefixTree(pool, "model")
    proposer = None if costs is None else Proposer(costs)
    scheduler = Scheduler[None](pool, tree, max_running=running, proposer=proposer)
    return scheduler, pool, tree, Device(scheduler, pool, chunk=chunk, ahead=ahead)


def request(
    tokens: int,
    *,
    new_tokens: int = 5,
    seed: int = 0,
    user_id: str = "",
    picture: str | None = None,
    background: bool = False,
) -> Sequence[None]:
    prompt = [random.Random(seed).randrange(10, 200) for _ in range(tokens)]  # noqa: S311
    pictures: tuple[PictureSpan, ...] = ()
    if picture is not None:
        pictures = (PictureSpan(3, tokens - 3, picture),)
        prompt[3 : tokens - 3] = [PLACEHOLDER] * (tokens - 6)
    return Sequence(
        tokens=prompt,
        inputs=None,
        pictures=pictures,
        max_tokens=tokens + new_tokens,
        user_id=user_id,
        background=background,
    )


def follow_up(sequence: Sequence[None], tokens: int, *, new_tokens: int = 5) -> Sequence[None]:
    return Sequence(
        tokens=sequence.tokens + [9] * tokens,
        inputs=None,
        pictures=sequence.pictures,
        max_tokens=len(sequence.tokens) + tokens + new_tokens,
    )
