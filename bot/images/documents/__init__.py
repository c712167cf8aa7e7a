"""Documents: what they are, their pages as pictures, and which pages a question is about."""
