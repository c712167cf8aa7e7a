"""Several processes on one database, and the way there."""
