"""All that a device needs to run an artifact and to time it: numpy and one inference engine."""

PROJECT = "shufflenet-deploy"
"""The distribution's name."""
MAX_THREADS = 256
"""The most threads that may be asked for: beyond any device, and before engines hang or raise
errors of their own."""
