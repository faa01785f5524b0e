"""The ``perception`` command and what its subcommands do."""
