"""What the bot does alike on every chat platform: each sentence holds for all of them."""
