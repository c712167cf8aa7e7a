"""A real llama.cpp server: what installs it, its model, and its process."""
