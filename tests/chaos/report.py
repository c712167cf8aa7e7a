"""What happened under faults."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Report:
    """What happened in a round, or in several."""

    faults: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    questions: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    starts: int = 0
    seconds: float = 0
    problems: list[str] = field(default_factory=list)

    def add(self, other: Report) -> None:
        """Count another round in."""
        self.faults.update(other.faults)
        self.done.update(other.done)
        self.questions.update(other.questions)
        self.states.update(other.states)
        self.starts += other.starts
        self.seconds += other.seconds
        self.problems += other.problems
