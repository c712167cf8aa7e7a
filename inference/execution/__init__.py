"""Tensors: decoder, KV cache, vision tower, and the runners of the scheduler's plans."""
