"""What the profilers of all engines have in common: kinds of operators, traces, profiles."""
