"""Fleet: ``run`` and ``evaluate`` over many drives, as jobs for ``perception.fleet``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from perception.commands import drives, models, run
from perception.errors import InputError
from perception.expectations.meters import check_names
from perception.expectations.quantities import Drive, Expectations, Verdict
from perception.fleet import job
from perception.fleet.job import Did, Entry, Given
from perception.fleet.processing import process
from perception.model import Model
from perception.tasks import shipped

VERDICTS = "verdicts.json"


@dataclass(frozen=True)
class Run:
    """``run`` for each drive.

    Attributes:
        options: of the command line.
    """

    options: argparse.Namespace

    def settings(self, number: int) -> Mapping[str, str]:
        return job.settings("run", self.options, (*_of_models(), "overlay"))

    @contextmanager
    def opened(self) -> Iterator[job.Work]:
        with _models(self.options) as opened:

            def work(drive: Given, path: Path, folder: Path) -> Did:
                outcome = run.run(
                    [path],
                    folder,
                    opened,
                    boxes=models.boxes_from(self.options),
                    topic=self.options.topic,
                    rois=self.options.rois,
                    overlays=self.options.overlay or "frames",
                )
                return Did(outcome.summary.good, outcome.summary.bad_reasons.total(), remarks=outcome.remarks)

            yield work


@dataclass(frozen=True)
class Evaluate:
    """``evaluate`` for each drive.

    Attributes:
        options: of the command line.
        expected: of each drive.
    """

    options: argparse.Namespace
    expected: tuple[Expectations, ...]

    def settings(self, number: int) -> Mapping[str, str]:
        own = argparse.Namespace(**vars(self.options) | {"expect": self.expected[number].path})
        return job.settings("evaluate", own, (*_of_models(), "expect"))

    @contextmanager
    def opened(self) -> Iterator[job.Work]:
        with _models(self.options) as opened:

            def work(drive: Given, path: Path, folder: Path) -> Did:
                found = drives.check(path, self.expected[drive.number], self.options, None, opened=opened)
                folder.mkdir()
                _write(found, folder / VERDICTS)
                if found.error:
                    raise InputError(found.error)
                return Did(found.frames, unmet=len(found.failed), remarks=found.remarks)

            yield work


def run_all(options: argparse.Namespace) -> int:
    """Run the models over many drives; returns the exit code."""
    plain = _checked(options)
    return int(any(entry.state == "failed" for entry in process(Run(plain), plain, Console(stderr=True))))


def evaluate_all(
    options: argparse.Namespace, given: Sequence[Given], expected: Sequence[Expectations]
) -> list[Drive]:
    """Check many drives.

    Raises:
        PerceptionError: an option or a model cannot be used, or something is expected that the models cannot
            show.
    """
    plain = _checked(options, expected)
    entries = process(Evaluate(plain, tuple(expected)), plain, Console(stderr=True), given=given)
    return [_read(entry, own, Path(options.out)) for entry, own in zip(entries, expected, strict=True)]


def _of_models() -> tuple[str, ...]:
    return (*shipped(), "detector", "boxes", "rois", "topic", "device")


def _checked(options: argparse.Namespace, expected: Sequence[Expectations] = ()) -> argparse.Namespace:
    """The options without what cannot travel; the models are opened here, to see that they can be used."""
    plain = argparse.Namespace(**{name: value for name, value in vars(options).items() if name != "command"})
    with _models(argparse.Namespace(**vars(plain) | {"device": "cpu"})) as opened:
        for own in {own.path: own for own in expected}.values():
            check_names(own, [model.spec for model in opened])
        return plain


@contextmanager
def _models(options: argparse.Namespace) -> Iterator[list[Model]]:
    with ExitStack() as stack:
        opened = models.open_models(options, models.boxes_from(options))
        for model in opened:
            stack.callback(model.close)
        yield opened


def _write(drive: Drive, path: Path) -> None:
    content = {
        "values": [verdict.value for verdict in drive.verdicts],
        "problems": [verdict.problem for verdict in drive.verdicts],
        "frames": drive.frames,
        "seconds": drive.seconds,
        "remarks": drive.remarks,
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _read(entry: Entry, expected: Expectations, out: Path) -> Drive:
    """What became of a drive, as ``evaluate`` without a fleet has it."""
    drive = Drive(entry.place, expected, (), error=entry.error)
    path = out / entry.name / VERDICTS
    if not path.exists():
        return drive
    content = json.loads(path.read_text(encoding="utf-8"))
    verdicts = tuple(map(Verdict, expected.all, content["values"], content["problems"]))
    return replace(
        drive,
        verdicts=verdicts,
        frames=content["frames"],
        seconds=content["seconds"],
        remarks=entry.did.remarks,
    )
