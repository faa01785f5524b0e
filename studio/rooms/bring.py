"""New data sets: frames of a drive to label, and labels of another tool."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from studio.page import leave
from studio.settings import StudioError
from studio.shared import Studio, of

router = APIRouter(prefix="/data")

KIND = "data"

Name = Annotated[str, Form(max_length=100)]


@router.post("/extract")
def extract(
    request: Request,
    *,
    drive: Annotated[str, Form()],
    model: Annotated[str, Form()] = "",
    count: Annotated[int, Form(ge=1, le=100_000)] = 40,
    root: Annotated[str, Form()],
    name: Name,
) -> Response:
    """Queue the choice of a drive's frames."""
    studio = of(request)
    given, out = studio.settings.readable.inside(drive.strip()), _new(studio, root, name)
    argv = [sys.executable, "-m", "training", "extract", str(given), "--out", str(out), "--count", str(count)]
    if model:
        argv += ["--model", str(studio.settings.readable.inside(model))]
    return leave(request, f"/jobs/{studio.jobs.add(f'frames of {given.name}', argv, kind=KIND)}")


@router.post("/import")
def bring_in(
    request: Request,
    *,
    source: Annotated[str, Form()],
    pictures: Annotated[str, Form()] = "",
    kind: Annotated[str, Form(alias="as", pattern="^(masks|boxes|)$")] = "",
    root: Annotated[str, Form()],
    name: Name,
) -> Response:
    """Queue the import of labels."""
    studio = of(request)
    given, out = studio.settings.folders.inside(source.strip()), _new(studio, root, name)
    argv = [sys.executable, "-m", "training", "labels", "import", str(given), str(out)]
    if pictures.strip():
        argv += ["--pictures", str(studio.settings.folders.inside(pictures.strip()))]
    argv += ["--as", kind] if kind else []
    return leave(request, f"/jobs/{studio.jobs.add(f'labels of {given.name}', argv, kind=KIND)}")


def _new(studio: Studio, root: str, name: str) -> Path:
    """A folder that is not there yet, directly in one of those that the studio was started with."""
    folder = studio.settings.folders.inside(root)
    if folder not in studio.settings.folders.roots or not re.fullmatch(r"\w[\w .-]*", name):
        raise StudioError(
            f"{name or 'no name'} is no name for a new folder in {root}; use letters and digits"
        )
    if (folder / name).exists():
        raise StudioError(f"{folder / name} is there already; choose another name")
    return folder / name
