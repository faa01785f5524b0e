"""``fit``: train a model."""

from __future__ import annotations

import argparse

from training.commands import SubParsers


def add(commands: SubParsers) -> None:
    """Add the command."""
    # Lightning's command line reads the options, --help among them.
    parser = commands.add_parser("fit", help="train a model (fit --help: all options)", add_help=False)
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    """Do what the options say."""
    from training import fit

    fit.report(fit.fit(options.others))
