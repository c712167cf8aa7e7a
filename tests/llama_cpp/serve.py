"""Run llama.cpp's server: serve.py FOLDER PORT NAME CONTEXT SLOTS, in its own environment."""

import signal
import sys
from pathlib import Path

import xllamacpp


def main() -> None:
    """Serve until the process is ended."""
    folder, port, name, context, slots = Path(sys.argv[1]), *sys.argv[2:]
    params = xllamacpp.CommonParams()
    params.model.path = str(folder / "model.gguf")
    params.mmproj.path = str(folder / "mmproj.gguf")
    params.model_alias = {name}
    params.port = int(port)
    params.n_parallel = int(slots)
    params.n_ctx = int(context) * int(slots)
    params.kv_unified = False  # every question has the whole context of its slot
    params.endpoint_metrics = True
    params.warmup = False
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
