"""Looks at a model's servers without starting anything: for `llava-bot doctor`."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from inference.errors import ModelUnavailable, ServerFailed
from inference.names import parse_remote
from inference.remote.connecting import find, model_info, session_of
from inference.remote.options import ServerOptions
from inference.remote.server import Server
from inference.types import ModelInfo, ModelSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What one server has said."""

    address: str
    model: ModelInfo | None = None
    """What it serves; `None`: see `problem`."""
    problem: str = ""
    """A sentence for the operator."""
    is_down: bool = False
    """It does not answer, or fails: another one may serve meanwhile."""


async def check_servers(spec: ModelSpec, options: ServerOptions) -> list[Checked]:
    """Ask every server for the model, side by side, in the order of their addresses.

    Raises: ModelUnavailable: the name is wrong.
    """
    name = parse_remote(spec.name)

    async def check(server: Server) -> Checked:
        try:
            found = await find(server, name.model, options, spec.max_pictures)
        except ModelUnavailable as exc:
            return Checked(address=server.address, problem=str(exc))
        except ServerFailed as exc:
            problem = f"The model's server at {server.address}: {exc}."
            return Checked(address=server.address, problem=problem, is_down=True)
        return Checked(address=server.address, model=model_info(spec, found))

    async with session_of(options) as session:
        servers = [Server(address, session, options) for address in name.addresses]
        return list(await asyncio.gather(*map(check, servers)))
