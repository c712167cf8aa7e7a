"""`llava-bot evaluate`: how many questions of a data set, or a team's own, a model gets right."""
