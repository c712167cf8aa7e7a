"""The sizes of pictures for which towers capture CUDA graphs."""

from __future__ import annotations

USUAL_PX = (
    *((2048, 1536), (1536, 2048), (2048, 1152), (1152, 2048), (2048, 2048)),
    *((1024, 768), (768, 1024), (1024, 1024), (640, 480), (480, 640)),
)
"""As the bot stores them; large ones are shrunk to the bound on a picture's tokens first."""
