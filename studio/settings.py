"""What the studio was started with."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from perception.paths import shared
from studio.folders import Folders

LOOPBACK = ("127.0.0.1", "localhost", "::1")


class StudioError(Exception):
    """The studio cannot do what was asked; the message says what was wrong and what to do."""


@dataclass(frozen=True)
class Settings:
    """What the studio was started with.

    Attributes:
        folders: all that it may read.
        state: folder of its own: lists of pictures, jobs and their logs.
        runs: where trainings go.
        car: folder of the models that the car starts with.
        host: address that it listens on.
        port: likewise.
        token: what a browser has to give first; empty on this machine alone.
    """

    folders: Folders
    state: Path
    runs: Path
    car: Path = Path("~/models")
    host: str = "127.0.0.1"
    port: int = 8000
    token: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if self.host not in LOOPBACK and not self.token:
            raise StudioError(
                f"--host {self.host} opens the studio to the network, and nothing keeps others out; give "
                "--token as well"
            )

    @property
    def searched(self) -> list[Path]:
        """Where trainings and model files are looked for."""
        return [self.runs, self.state / "models", *self.folders.roots]

    @property
    def readable(self) -> Folders:
        """All files that a page may show: the named folders, runs, shipped models and the studio's own."""
        return Folders([*self.folders.roots, self.runs, self.state, shared("models")])

    @property
    def address(self) -> str:
        """What to open in a browser."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"
