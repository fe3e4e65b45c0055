"""What can be asked of ``shufflenet-bench``, a file for each command."""
