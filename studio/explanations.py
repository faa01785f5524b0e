"""Explanations: where the evidence for an answer is, as ``training explain`` shows it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from studio.jobs import DONE, Job, Jobs

KIND = "explain"
LIMIT = 1000  # of the newest that are looked through


def command(weights: Path, pictures: Sequence[Path | str], out: Path) -> list[str]:
    """The command that explains what a net says of pictures."""
    return [
        *(sys.executable, "-m", "training", "explain", str(weights)),
        *map(str, pictures),
        "--out",
        str(out),
    ]


def of_weights(jobs: Jobs, weights: Path) -> list[Job]:
    """The explanations of a net that were asked for in the room Try, the newest first."""
    return [job for job in jobs.latest(kind=KIND, limit=LIMIT) if job.argv[4] == str(weights)]


def of_try(jobs: Jobs, folder: Path) -> list[Job]:
    """The explanations of what was found in a try, by its folder, the newest first."""
    return [job for job in jobs.latest(kind=KIND, limit=LIMIT) if Path(job.about).parent == folder]


def report(job: Job) -> Path | None:
    """The page of an explanation; None if there is none, or none yet."""
    path = Path(job.about) / "report.html"
    return path if job.state == DONE and path.exists() else None
