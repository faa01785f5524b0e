"""Rooms: one file each, with its pages and what its buttons run."""
