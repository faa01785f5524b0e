"""Training of segmentation nets."""
