"""How often artifacts are right on labelled images: ``shufflenet-eval``."""
