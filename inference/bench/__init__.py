"""`llava-bot bench`: how fast a model is on this machine, beside the alternatives and the floor."""
