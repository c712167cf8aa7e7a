"""The playground: one page and its HTTP interface (docs/playground.md)."""
