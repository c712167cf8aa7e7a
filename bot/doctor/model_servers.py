"""Whether the servers of a model have it, and take pictures."""

from __future__ import annotations

import asyncio

from bot.configuration import Configuration
from bot.errors import ConfigurationError
from bot.model_server_settings import ModelServerSettings
from bot.platforms.findings import Finding
from inference.errors import ModelUnavailable
from inference.types import ModelSpec

START = "start it, or see what keeps this machine from reaching it."


def model_servers(configuration: Configuration, spec: ModelSpec) -> list[Finding]:
    """Ask each server of a model. Run it in a thread."""
    from bot.composition import server_options
    from inference.remote.check import check_servers

    settings = configuration.of(ModelServerSettings)
    options = server_options(settings)
    try:
        # Before any server gets a key that was meant for another.
        settings.check_keys(spec.name for spec in configuration.bot.model_specs.values())
        checked = asyncio.run(check_servers(spec, options))
    except (ModelUnavailable, ConfigurationError) as exc:
        return [Finding("the model's servers", str(exc))]
    serves = any(one.model is not None for one in checked)
    findings: list[Finding] = []
    for one in checked:
        if (model := one.model) is not None:
            findings.append(
                Finding(
                    f"the model {model.name} is served by {model.device} at {one.address}: "
                    f"{model.context_tokens:,} tokens, up to {model.max_pictures} pictures"
                )
            )
        elif one.is_down:
            findings.append(Finding(one.problem.rstrip("."), START, warning=serves))
        else:
            findings.append(Finding(f"the model's server at {one.address}", one.problem))
    return findings
