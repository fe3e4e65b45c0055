"""ARM64 without ARM hardware: engines under QEMU, which counts their instructions.

An emulated processor has no latency. What it has is exact: what an engine computes there, how many
instructions that takes, and how its data accesses fare in caches of known sizes.
"""
