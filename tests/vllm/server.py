"""vLLM as a process."""

from __future__ import annotations

from tests.real_servers.process import CONTEXT_TOKENS, MODEL, ROOT, ServerProcess


class VllmServer(ServerProcess):
    """vLLM for processors, on one thread."""

    program = "vLLM"
    folder = ROOT / ".cache" / "vllm"
    how = "make test-vllm"
    metric = "vllm:"
    running = "num_requests_running"
    generated = "generation_tokens_total"
    max_pictures = 2

    def command(self) -> list[str]:
        """`vllm serve`."""
        return [
            *(str(self.folder / "bin" / "vllm"), "serve", str(self.model)),
            *("--served-model-name", MODEL, "--host", "127.0.0.1", "--port", str(self.port)),
            *("--max-model-len", str(CONTEXT_TOKENS), "--enforce-eager", "--dtype", "float32"),
            *("--limit-mm-per-prompt", f'{{"image": {self.max_pictures}}}'),
        ]

    def environment(self) -> dict[str, str]:
        """A small cache, no binding to cores, and nothing from the hub."""
        return {
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "VLLM_CPU_OMP_THREADS_BIND": "nobind",
            "HF_HUB_OFFLINE": "1",
            "VLLM_NO_USAGE_STATS": "1",
        }
