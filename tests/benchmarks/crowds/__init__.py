"""People of a large workspace or server, in a process of their own."""
