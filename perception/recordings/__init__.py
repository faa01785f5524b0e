"""Bags, tubs, videos and pictures: read as shots, written as the nodes would have published."""
