"""The process on a device that holds its lock, ends workers and restores the governor."""
