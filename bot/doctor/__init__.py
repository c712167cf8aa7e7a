"""`llava-bot doctor`: looks at the whole set-up and names one thing to do for what is wrong."""
