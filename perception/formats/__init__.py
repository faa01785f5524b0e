"""Formats of files and compressed frames: what their bytes say before OpenCV decodes them."""
