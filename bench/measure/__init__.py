"""From what is to be measured to the samples of it, in one results file."""
