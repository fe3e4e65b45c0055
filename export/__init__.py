"""From a network to an artifact: capture, rewrite, emit, verify. `pipeline` is the way through."""
