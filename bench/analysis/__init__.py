"""From samples to figures: estimates, warnings, verdicts and their summary."""
