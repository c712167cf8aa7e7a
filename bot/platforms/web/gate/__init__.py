"""What a request has to pass before a handler sees it, and what bounds its sender."""
