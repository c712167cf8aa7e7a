"""Models, pictures and tokens; knows no chat platform.

Public surface: :mod:`inference.types`, :mod:`inference.errors`, :mod:`inference.engine` (the
protocol) and :func:`inference.load.running_engine` (what implements it).
"""
