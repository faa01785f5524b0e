"""What was measured, as a page, charts and tables."""
