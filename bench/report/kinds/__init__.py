"""Documents of other kinds than results, on a terminal."""
