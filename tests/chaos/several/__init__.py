"""Several processes on one PostgreSQL: one after the other is killed, and no question is lost."""
