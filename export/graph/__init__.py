"""The graph that is rewritten and emitted: its operators, and what they compute."""
