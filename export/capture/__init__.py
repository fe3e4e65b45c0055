"""From a network to a `Graph`."""
