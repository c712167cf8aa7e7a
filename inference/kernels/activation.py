"""The activations of an MLP's gate."""

from __future__ import annotations

from typing import Literal, TypeAlias

Activation: TypeAlias = Literal["silu", "gelu"]
"""SiLU, or GELU by its tanh approximation."""
