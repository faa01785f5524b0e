"""Write what was picked, all of it or nothing: pictures, what the models say, picks.json, report.html."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perception import pictures
from perception.frames import Frame
from perception.paths import writing
from perception.recordings.shots import Source
from perception.report.page import Report, shown
from training.extract.candidates import Scan
from training.extract.choose import Pick
from training.extract.extraction import Labeller

PICKS = "picks.json"


@dataclass(frozen=True)
class Extracted:
    """What was picked.

    Attributes:
        folder: where it was written.
        sources: names of the inputs.
        scan: what they hold.
        picks: the most worthwhile first.
        wanted: how many were asked for.
        models: names of the model files.
    """

    folder: Path
    sources: tuple[str, ...]
    scan: Scan
    picks: tuple[Pick, ...]
    wanted: int
    models: tuple[str, ...]


def write(
    extracted: Extracted, sources: Sequence[Source], labellers: Sequence[Labeller], seen: Callable[[], None]
) -> None:
    """Read the drives again and write the picked frames.

    Everything goes into a folder beside the wanted one, which gets its name when all is there.

    Args:
        extracted: what was picked.
        sources: the drives, as they were scanned.
        labellers: models whose answers are written beside the frames.
        seen: is called after each frame.

    Raises:
        OSError: the folder cannot be written.
    """
    part = extracted.folder.with_name(f"{extracted.folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        with writing(part):
            (part / "images").mkdir(parents=True)
            for labeller in labellers:
                labeller.task.prepare(labeller.model, part)
            names = file_names(extracted)
            drawn: dict[str, Frame] = {}
            for number, source in enumerate(sources):
                for index, shot in enumerate(source.shots()):
                    seen()
                    if (name := names.get((number, index))) and shot.image is not None:
                        drawn[name] = _write_frame(name, shot.image, part, labellers)
            (part / PICKS).write_text(
                json.dumps(as_json(extracted, names), indent=1) + "\n", encoding="utf-8"
            )
            report(extracted, names, drawn).save(part / "report.html")
            part.rename(extracted.folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def file_names(extracted: Extracted) -> dict[tuple[int, int], str]:
    """The name without suffix of each pick, by input and index; inputs of one name get a number."""
    bases = [Path(name).stem or "drive" for name in extracted.sources]
    unique = [
        base if bases.count(base) == 1 else f"{base}_{number}" for number, base in enumerate(bases, start=1)
    ]
    places = sorted((pick.candidate.source, pick.candidate.index) for pick in extracted.picks)
    return {(source, index): f"{unique[source]}_{index:06d}" for source, index in places}


def _write_frame(name: str, frame: Frame, folder: Path, labellers: Sequence[Labeller]) -> Frame:
    """Write a frame and what the models say, and return the picture for the report."""
    pictures.write(folder / "images" / f"{name}.png", frame)
    drawn = frame
    for labeller in labellers:
        result = labeller.model(frame)
        labeller.task.write(result, frame, folder, name)
        drawn = result.overlay(drawn)
    return shown(drawn)


def as_json(extracted: Extracted, names: dict[tuple[int, int], str]) -> dict[str, Any]:
    """All that was measured, for programs."""
    return {
        "inputs": extracted.sources,
        "models": extracted.models,
        "frames": extracted.scan.frames,
        "bad_frames": extracted.scan.bad,
        "candidates": len(extracted.scan.candidates),
        "wanted": extracted.wanted,
        "picks": [
            {
                "file": f"images/{names[pick.candidate.source, pick.candidate.index]}.png",
                "input": extracted.sources[pick.candidate.source],
                "index": pick.candidate.index,
                "stamp_ns": pick.candidate.stamp_ns,
                "unsure": round(pick.unsure, 4),
                "apart": None if rank == 0 else round(pick.apart, 4),
                "sharp": round(pick.sharp, 4),
            }
            for rank, pick in enumerate(extracted.picks)
        ],
    }


def report(extracted: Extracted, names: dict[tuple[int, int], str], drawn: dict[str, Frame]) -> Report:
    """The page that shows what was picked and why."""
    scan, picks = extracted.scan, extracted.picks
    page = Report("Frames worth labelling", f"{', '.join(extracted.sources)}; {len(picks)} of {scan.frames}")
    rows = [
        ["frames read", scan.frames],
        ["frames that cannot be decoded", scan.bad],
        ["sharpest frames of their stretch", len(scan.candidates)],
        ["picked", len(picks)],
        ["asked for", extracted.wanted],
    ]
    page.table("What was there", ["", "number"], rows)
    page.text(
        "Why these",
        "Unsure: rank among all frames of how little the models know what they see; 1 is the least. "
        "Apart: distance to the nearest frame picked before, where 1 is usual between any two. "
        "Sharp: sharpness, where 1 is the drive's median. The best product of the three comes first.",
    )
    captions = ((pick, names[pick.candidate.source, pick.candidate.index]) for pick in picks)
    page.pictures("Picked", [(caption(pick, name), drawn[name]) for pick, name in captions])
    return page


def caption(pick: Pick, name: str) -> str:
    """A pick's name and numbers."""
    apart = "first" if pick.apart == float("inf") else f"apart {pick.apart:.2f}"
    return f"{name}: unsure {pick.unsure:.2f}, {apart}, sharp {pick.sharp:.2f}"
