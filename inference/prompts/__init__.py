"""From messages and pictures to the engine's tokens, and from its tokens to text."""
