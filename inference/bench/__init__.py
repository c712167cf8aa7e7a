"""`llava-bot bench`: a model's speed on this machine, next to the alternatives and the floor."""
