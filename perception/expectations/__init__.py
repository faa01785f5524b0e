"""Expectations: what a team writes down about a drive, how it is measured, and whether it holds."""
