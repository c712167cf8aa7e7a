"""`llava-bot setup`: asks what is needed, writes `.env`, fetches the model and looks at it all."""
