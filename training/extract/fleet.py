"""``extract`` for each of many drives, as a job for ``perception.fleet``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from perception.fleet import job
from perception.fleet.job import Did, Given
from perception.fleet.processing import process
from perception.recordings.sources import open_source
from training.extract import opened, pick, require


@dataclass(frozen=True)
class Extract:
    """``extract`` for each drive.

    Attributes:
        options: of the command line.
    """

    options: argparse.Namespace

    def settings(self, number: int) -> Mapping[str, str]:
        return job.settings("extract", self.options, ("count", "models", "detector", "topic"))

    @contextmanager
    def opened(self) -> Iterator[job.Work]:
        options = self.options
        with opened(options.models, options.detector) as labelling:

            def work(drive: Given, path: Path, folder: Path) -> Did:
                require(folder, options.count)
                source = open_source(path, topic=options.topic, use_rois=False)
                done = pick([source], folder, labelling, count=options.count, with_progress=False)
                return Did(done.scan.frames - done.scan.bad, done.scan.bad)

            yield work


def extract_all(options: argparse.Namespace) -> int:
    """Pick frames of each of many drives; returns the exit code."""
    plain = argparse.Namespace(**{name: value for name, value in vars(options).items() if name != "command"})
    extract = Extract(plain)
    with extract.opened():  # to see here that the models can be used
        pass
    return int(any(entry.state == "failed" for entry in process(extract, plain, Console(stderr=True))))
