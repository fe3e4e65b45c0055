"""What this machine is, in which state it is, and what it can be set to."""
