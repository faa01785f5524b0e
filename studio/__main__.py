"""``python -m studio``: start the studio."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from studio.folders import Folders
from studio.settings import Settings, StudioError

CAR = Path("~/models")
STATE = Path("~/.local/state/perception-studio")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the studio until Ctrl-C.

    Returns:
        0 after Ctrl-C, 1 if it cannot start.
    """
    options = _parser().parse_args(arguments)
    try:
        settings = _settings(options)
    except (StudioError, OSError) as error:
        print(f"python -m studio: {error}", file=sys.stderr)
        return 1
    from studio.server import serve

    entrance = f"{settings.address}/enter?token={settings.token}" if settings.token else settings.address
    print(f"the studio is at {entrance} (Ctrl-C ends it; trainings go on)", flush=True)
    with suppress(KeyboardInterrupt):  # uvicorn raises it again when it has ended
        serve(settings)
    return 0


def _settings(options: argparse.Namespace) -> Settings:
    runs, state = (path.expanduser().absolute() for path in (options.runs, options.state))
    for folder in (runs, state):
        folder.mkdir(parents=True, exist_ok=True)
    return Settings(
        Folders(options.folders or [Path.cwd()]),
        state=state.resolve(),
        runs=runs.resolve(),
        car=options.car.expanduser().absolute(),
        host=options.host,
        port=options.port,
        token=options.token or os.environ.get("STUDIO_TOKEN", ""),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m studio",
        description="Data sets, trainings and models in a browser, on this machine.",
    )
    parser.add_argument(
        "folders",
        type=Path,
        nargs="*",
        help="folders that it may read (default: this one); all others are closed",
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where trainings are (default: runs)")
    parser.add_argument("--state", type=Path, default=STATE, help=f"folder of its own (default: {STATE})")
    parser.add_argument(
        "--car",
        type=Path,
        default=CAR,
        help=f"folder of the models that the car starts with (default: {CAR})",
    )
    parser.add_argument("--port", type=int, default=8000, help="(default: 8000)")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on; any other needs --token (default: 127.0.0.1)",
    )
    parser.add_argument(
        "--token", default="", help="what a browser has to give first; better in the variable STUDIO_TOKEN"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
