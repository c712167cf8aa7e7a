"""What each step computes, and the pages it uses. Pure Python: no torch here."""
