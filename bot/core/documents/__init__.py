"""Documents of a thread: the pages that a question is about become its pictures."""
