"""What the ShuffleNet paper says of time, its networks, and the suites that measure it."""
