"""Trainings and model files side by side: numbers, settings, curves, and where they answer differently."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response

from studio import curves, runs
from studio.page import leave
from studio.rooms.models import run_in
from studio.runs import ModelFile
from studio.settings import StudioError
from studio.shared import Studio, of
from training.run import flat

router = APIRouter(prefix="/models")

KIND = "compare"


@router.get("/compare")
def compare(request: Request, paths: Annotated[list[str], Query(alias="run")]) -> Response:
    """Trainings side by side."""
    studio = of(request)
    if len(paths) < 2:
        raise StudioError("choose two trainings or more to compare")
    chosen = [run_in(studio, path) for path in paths]
    settings = [flat(one.config) for one in chosen]
    names = [name for name in settings[0] if len({str(each.get(name)) for each in settings}) > 1]
    return studio.page(
        request,
        "compare",
        runs=chosen,
        metrics=curves.measures(chosen),
        settings=[(name, [each.get(name, "") for each in settings]) for name in names],
        charts=curves.of_runs([one.folder for one in chosen]),
        files=[("file", one.model_path) for one in chosen if one.model_path],
    )


@router.get("/files")
def files(request: Request, paths: Annotated[list[str], Query(alias="file")]) -> Response:
    """Model files side by side."""
    studio = of(request)
    chosen = _files(studio, paths)
    specs = [one.spec for one in chosen if one.spec]
    return studio.page(
        request,
        "files",
        files=chosen,
        specs=specs,
        metrics=list(dict.fromkeys(name for spec in specs for name in spec.metrics)),
        one_task=len({spec.task for spec in specs}) == 1,
        roots=studio.settings.folders.roots,
        jobs=[(job, _report(Path(job.about))) for job in studio.jobs.latest(kind=KIND, limit=10)],
    )


@router.post("/files")
def use(
    request: Request,
    paths: Annotated[list[str], Form(alias="file")],
    tool: Annotated[str, Form(pattern="^(profile|differ)$")],
    drive: Annotated[str, Form()] = "",
) -> Response:
    """Profile model files side by side, or see where the first two answer differently."""
    studio = of(request)
    chosen = [str(one.path) for one in _files(studio, paths)]
    folder = studio.settings.state / "compared" / secrets.token_hex(8)
    if tool == "profile":
        first, *others = chosen
        argv = ["training", "profile", first, "--compare", *others, "--out", str(folder)]
        title = f"profile {len(chosen)} models"
    else:
        real = studio.settings.readable.inside(drive.strip())
        argv = ["perception", "run", str(real), "--models", *chosen[:2], "--out", str(folder)]
        first, second = (runs.model_name(Path(path)) for path in chosen[:2])
        title = f"where {first} and {second} differ on {real.name}"
    number = studio.jobs.add(title, [sys.executable, "-m", *argv], kind=KIND, about=str(folder))
    return leave(request, f"/jobs/{number}")


def _files(studio: Studio, paths: list[str]) -> list[ModelFile]:
    if len(paths) < 2:
        raise StudioError("choose two model files or more to compare")
    chosen = [runs.model(studio.settings.readable.inside(path)) for path in paths]
    for one in chosen:
        if one.spec is None:
            raise StudioError(f"{one.path} cannot be compared: {one.error}")
    return chosen


def _report(folder: Path) -> Path | None:
    return path if (path := folder / "report.html").exists() else None
