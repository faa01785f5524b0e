"""One file per backend: each opens a model and runs it (see ``perception.engine.Engine``)."""
