"""Several processes on one database: who owns which question, and what they tell each other."""
