"""The remote engine against a real vLLM, which needs no GPU: `make test-vllm`."""
