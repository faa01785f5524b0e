"""Training of sign classifiers."""
