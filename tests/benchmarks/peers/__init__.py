"""Other engines on the same card, in the same run: `python -m tests.benchmarks.peers`."""
