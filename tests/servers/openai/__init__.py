"""A local OpenAI-compatible server with faults, for what talks to one."""
