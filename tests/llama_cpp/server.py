"""llama.cpp's server as a process."""

from __future__ import annotations

from pathlib import Path

from tests.real_servers.process import CONTEXT_TOKENS, MODEL, ROOT, ServerProcess

SLOTS = 4
"""Questions that it answers at once."""


class LlamaCppServer(ServerProcess):
    """The server that the package `xllamacpp` brings, built for every x86-64 processor."""

    program = "llama.cpp"
    folder = ROOT / ".cache" / "llama_cpp"
    how = "make test-llama-cpp"
    metric = "llamacpp:"
    running = "requests_processing"
    generated = "tokens_predicted_total"
    max_pictures = 4
    """It has no limit of its own: the bot's default."""

    def command(self) -> list[str]:
        """`serve.py`, in its own environment."""
        python = self.folder / "bin" / "python"
        serve = Path(__file__).parent / "serve.py"
        sizes = (str(self.port), MODEL, str(CONTEXT_TOKENS), str(SLOTS))
        return [str(python), str(serve), str(self.model), *sizes]
