"""What `llava-bot status` prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

MORE = (
    "To see platforms, questions and memory, run this as the bot's user with its DATA_DIR, or set "
    "MONITORING_PORT."
)


def as_text(said: Mapping[str, Any]) -> str:
    """The answer of `ask`, for people."""
    if not said["running"]:
        return "No bot is running here. Start it with: llava-bot run"
    if said["source"] == "lock":
        return (
            "A bot is running here and does not say how it is: it may be starting, or its "
            f"playground has a password. {MORE}"
        )
    return "\n".join(_lines(said))


def _lines(said: Mapping[str, Any]) -> Iterator[str]:
    missing = ", ".join(said.get("missing", ()))
    yield "The bot is ready." if said["ready"] else f"The bot is NOT ready{_because(missing)}."
    models = [f"{one['model']} on {one['device']}".removesuffix(" on ") for one in said["models"]]
    yield _row("model", ", ".join(models) or said["model"])
    if said["source"] == "playground":
        yield MORE
        return
    waiting, running = said.get("requests_waiting", 0), said.get("requests_running", 0)
    in_flight = said.get("questions_in_flight", 0)
    yield _row("questions", f"{in_flight} in flight; {waiting} waiting, {running} running now")
    if total := said.get("gpu_memory_total_bytes"):
        used = said.get("gpu_memory_used_bytes", 0)
        yield _row("GPU memory", f"{used / 1e9:.1f} of {total / 1e9:.1f} GB")
    for name, platform in said.get("platforms", {}).items():
        yield _row(name, _platform(platform))
    yield from _store(said.get("store", {}))


def _because(missing: str) -> str:
    return f": {missing}" if missing else ""


def _platform(platform: Mapping[str, Any]) -> str:
    if platform.get("standby"):
        state = "stands by: another process is connected"
    else:
        state = "connected" if platform.get("connected") else "NOT connected"
    if (for_s := platform.get("for_s")) is not None:
        state = f"{state} for {_long(for_s)}"
    if (age_s := platform.get("last_event_age_s")) is not None:
        state = f"{state}, last event {_long(age_s)} ago"
    return state


def _store(store: Mapping[str, Any]) -> Iterator[str]:
    if store.get("works", True):
        yield _row("store", "works")
    for outage in store.get("outages", ()):
        yield _row("store", f"fails for {_long(outage['for_s'])}: {outage['reason']}")
    if late := store.get("late_writes"):
        yield _row("store", f"{late} writes wait for it")


def _row(name: str, value: str) -> str:
    return f"  {name:<12}{value}"


def _long(seconds: float) -> str:
    for unit_s, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * unit_s:
            return f"{seconds / unit_s:.0f} {unit}"
    return f"{seconds:.0f} s"
