"""Models, pictures and tokens; knows no chat platform.

Public surface: :mod:`inference.types`, :mod:`inference.errors`, :mod:`inference.engine` (the
protocol), :func:`inference.backends.load.load_model` and :mod:`inference.serving.worker` (what
implements it).
"""
