"""Servers of models that people run, as processes of our own: vLLM and llama.cpp."""
