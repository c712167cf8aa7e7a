"""A model that OpenAI-compatible servers run (vLLM, SGLang, llama.cpp, Ollama). No torch here."""
