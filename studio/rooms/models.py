"""Runs and models: what was trained, what came of it, what to do with it, and the reports."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import FileResponse, Response

from perception.engines.precision import SUFFIX, precision_of
from perception.tasks import TASKS
from studio import curves, runs
from studio.catalogue import READY
from studio.page import leave
from studio.safety import POLICY_OF_REPORTS
from studio.settings import StudioError
from studio.shared import Studio, of
from training.run import NAME, Run

router = APIRouter(prefix="/models")


@router.get("")
def all_models(request: Request) -> Response:
    """Tables of all trainings and of all model files."""
    studio = of(request)
    trainings, files = runs.found(studio.settings.searched)
    return studio.page(request, "models", runs=trainings, files=files, metrics=curves.measures(trainings))


@router.get("/run")
def run(request: Request, path: str) -> Response:
    """One training."""
    one = run_in(of(request), path)
    return of(request).page(request, "run", run=one, charts=curves.of_runs([one.folder]))


@router.post("/run/export")
def export(request: Request, path: Annotated[str, Form()]) -> Response:
    """Write the model file of a training, from its last epoch."""
    studio = of(request)
    one = run_in(studio, path)
    if not one.checkpoint:
        raise StudioError("this training has no checkpoint to export; train again")
    checkpoint = studio.settings.readable.inside(one.folder / one.checkpoint)
    model = checkpoint.with_name(f"{one.task}.onnx")
    argv = [sys.executable, "-m", "training", "export", str(checkpoint), str(model)]
    number = studio.jobs.add(f"export {one.folder.parent.parent.name}", argv, kind="models", about=str(model))
    return leave(request, f"/jobs/{number}")


@router.get("/file")
def file(request: Request, path: str) -> Response:
    """One model file, and what can be done with it."""
    studio = of(request)
    real = _inside(studio, path)
    one = runs.model(real)
    task = one.spec.task if one.spec else ""
    sets = [each for each in studio.catalogue.sets() if each.state == READY and each.task == task]
    return studio.page(
        request,
        "model",
        file=one,
        sets=sets,
        tools=list(_tools(studio, real, Path("DATA"))),
        jobs=studio.jobs.latest(about=str(real), limit=10),
        reports=_reports(studio, real),
        car=studio.settings.car,
        usual=TASKS[task].file if task else "",
        argument=f"{task}_model" if task and TASKS[task].node else "detector",  # of the launch file
        is_int8=precision_of(real) == "int8",
    )


@router.post("/file")
def use(
    request: Request,
    path: Annotated[str, Form()],
    tool: Annotated[str, Form()],
    data: Annotated[str, Form()] = "",
) -> Response:
    """Run a command on a model file."""
    studio = of(request)
    real = _inside(studio, path)
    known = studio.catalogue.get(data)
    tools = _tools(studio, real, known.path if known else Path("DATA"))
    if tool not in tools:
        raise HTTPException(404, "There is no such command")
    if known is None and "DATA" in tools[tool]:
        raise StudioError(f"{tool} needs a data set; choose one, or add it in the room Data")
    (_outputs(studio, real)).mkdir(parents=True, exist_ok=True)
    number = studio.jobs.add(f"{tool} {real.name}", tools[tool], kind="models", about=str(real))
    return leave(request, f"/jobs/{number}")


@router.post("/file/car")
def make_it_the_cars(request: Request, path: Annotated[str, Form()]) -> Response:
    """Copy a model file, and its INT8 version, to where the car's launch file is pointed at."""
    studio = of(request)
    real = _inside(studio, path)
    spec, folder = runs.model(real).spec, studio.settings.car
    if spec is None or precision_of(real) == "int8":
        raise StudioError(f"{real.name} cannot be the car's model by itself; take the file that is not INT8")
    folder.mkdir(parents=True, exist_ok=True)
    usual = folder / TASKS[spec.task].file
    rounded, usual_rounded = (
        file.with_name(file.name.removesuffix(".onnx") + SUFFIX) for file in (real, usual)
    )
    number = studio.jobs.add(
        f"make {real.name} the car's {spec.task}",
        ["cp", "--", str(real), str(usual)],
        kind="car",
        about=str(real),
    )
    if rounded.exists():
        argv = ["cp", "--", str(rounded), str(usual_rounded)]
        studio.jobs.add(f"its INT8 version {rounded.name}", argv, kind="car", about=str(real))
    return leave(request, f"/jobs/{number}")


@router.get("/report")
def report(request: Request, path: str) -> Response:
    """A page that a command wrote: no script in it runs, and it loads nothing."""
    real = _inside(of(request), path)
    if real.suffix != ".html":
        raise HTTPException(404, "There is no such report")
    return FileResponse(real, media_type="text/html", headers={"Content-Security-Policy": POLICY_OF_REPORTS})


def _inside(studio: Studio, path: str) -> Path:
    """A file in the folders, or of the shipped models, or that the studio's own jobs wrote."""
    return studio.settings.readable.inside(path)


def run_in(studio: Studio, path: str) -> Run:
    """The training in a folder.

    Raises:
        OutsideError: the folder is none that the studio may read.
        StudioError: it holds no training.
    """
    real = _inside(studio, path)
    found = [one for one in runs.found([real])[0] if one.folder == real] if (real / NAME).exists() else []
    if not found:
        raise StudioError(f"{real} holds no {NAME} of a training")
    return found[0]


def _tools(studio: Studio, path: Path, data: Path) -> dict[str, list[str]]:
    """Commands on a model file; DATA is there where a data set is needed."""
    training, out = [sys.executable, "-m", "training"], _outputs(studio, path)
    return {
        "evaluate": [*training, "evaluate", str(path), str(data), "--out", str(out / "evaluate")],
        "corrupt": [
            *(*training, "corrupt", str(path), str(data)),
            *("--limit", "40", "--out", str(out / "corrupt")),
        ],
        "quantize": [*training, "quantize", str(path), str(data), str(out / f"{path.stem}.int8.onnx")],
        "profile": [*training, "profile", str(path), "--out", str(out / "profile")],
    }


def _outputs(studio: Studio, path: Path) -> Path:
    """Where commands on a model file write."""
    return studio.settings.state / "models" / re.sub(r"\W+", "_", str(path.with_suffix(""))).strip("_")


def _reports(studio: Studio, path: Path) -> Sequence[Path]:
    return sorted(_outputs(studio, path).glob("*/report.html"))
