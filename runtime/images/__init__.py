"""Photographs and labels, for users and hosts: nothing here is copied to a device."""
