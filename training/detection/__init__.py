"""Training of the detector that finds signs in whole frames."""
