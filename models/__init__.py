"""The networks of the ShuffleNet paper (arXiv 1707.01083), their weights and their training.

Importing the package imports no torch.
"""
