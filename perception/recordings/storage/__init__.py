"""Storage: the files of a recording, each read by what is in it, not by its name or by metadata.yaml."""
