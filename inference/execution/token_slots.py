"""Which slot on the device holds the newest token of which sequence."""

from __future__ import annotations

from inference.execution.runner import SequenceInputs
from inference.scheduling.sequences import Sequence


class TokenSlots:
    """Assigns each sequence the slot on the device that holds its newest token."""

    def __init__(self, count: int) -> None:
        self._free = list(range(count))
        self._allocated: dict[Sequence[SequenceInputs], int] = {}

    def __getitem__(self, sequence: Sequence[SequenceInputs]) -> int:
        return self._allocated[sequence]

    def allocate(self, sequence: Sequence[SequenceInputs]) -> None:
        """Allocate a slot for a sequence that has none.

        If none is free, preempted sequences lose theirs: they are prefilled again before they need
        one.
        """
        if sequence in self._allocated:
            return
        if not self._free:
            for other in [other for other in self._allocated if not other.pages]:
                self.free(other)
        self._allocated[sequence] = self._free.pop()

    def free(self, sequence: Sequence[SequenceInputs]) -> None:
        """Free a sequence's slot, if it has one."""
        slot = self._allocated.pop(sequence, None)
        if slot is not None:
            self._free.append(slot)
