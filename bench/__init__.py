"""The host's side of a measurement: what to measure, in what order, and what came of it."""
