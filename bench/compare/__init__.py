"""Two measurements of the same models: what changed, and whether that is a failure."""
