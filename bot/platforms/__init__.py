"""Adapters: translate in, translate out, decide nothing."""
