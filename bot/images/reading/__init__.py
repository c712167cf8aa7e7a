"""Text in pictures: found, recognised and put in reading order, in processes of its own."""
