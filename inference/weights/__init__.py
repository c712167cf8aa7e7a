"""Checkpoints whose weights are in few bits already, read as they are published.

transformers leaves AWQ, GPTQ and compressed-tensors to packages of their own. Here a scheme says
what a checkpoint's config promises, a layout unpacks its tensors, and a quantizer puts modules that
hold them where transformers' own loader fills them.
"""
