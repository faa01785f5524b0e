"""Changes to exported graphs."""
