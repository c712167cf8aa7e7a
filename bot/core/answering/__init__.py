"""From a question whose turn it is to its answer."""
