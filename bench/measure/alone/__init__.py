"""Measurements in which nothing is compared: of each model by itself, what else is asked of it."""
