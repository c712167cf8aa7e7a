"""What one picture may cost, and how many may wait."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from bot.values.limits import PictureLimits

_BYTES_PER_PIXEL = 24
"""Most that a sound picture takes: floating-point grey is held five times over while scaled."""
_BASE_BYTES = 768_000_000
"""The interpreter, the codecs, the file itself twice, and the stacks of the codecs' threads."""
_WAIT_FACTOR = 4
"""How much longer than its processor time a picture may take, on a machine with other work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a process is to make of a file."""

    kind: Literal["picture", "survey", "page"] = "picture"
    """A picture; of a document, how many pages it has and what their text is, or one page."""
    page: int = 0
    """Which page, from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodingLimits:
    """Bounds of one picture's decoding, or of one look into a document."""

    pictures: PictureLimits
    task: Task = field(default_factory=Task)

    @property
    def processor_s(self) -> int:
        """Seconds of a processor."""
        return self.pictures.decode_s

    @property
    def wall_s(self) -> float:
        """Seconds that it may take in all."""
        return _WAIT_FACTOR * self.processor_s

    @property
    def memory_bytes(self) -> int:
        """Address space."""
        return _BASE_BYTES + _BYTES_PER_PIXEL * self.pictures.max_pixels

    @property
    def result_bytes(self) -> int:
        """Most that a normalised picture takes: its pixels, stored as they are, and some more."""
        return 4 * self.pictures.max_side_px**2 + 1_000_000

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        return {
            "max_bytes": self.pictures.max_bytes,
            "max_pixels": self.pictures.max_pixels,
            "max_side_px": self.pictures.max_side_px,
            "decode_s": self.pictures.decode_s,
            "max_video_s": self.pictures.max_video_s,
            "task": asdict(self.task),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> DecodingLimits:
        """The limits that the bot has sent along with a picture."""
        bounds = {name: bound for name, bound in value.items() if name != "task"}
        return cls(pictures=PictureLimits(**bounds), task=Task(**value["task"]))
