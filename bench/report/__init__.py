"""Results and their summary as a page, a text or a table: ``shufflenet-report``."""
