"""Runs and models: what was trained, what came of it, what to do with it, and the reports."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import FileResponse, Response

from perception.engines.precision import SUFFIX, precision_of
from perception.tasks import TASKS
from studio import curves, explanations, runs
from studio.catalogue import READY, DataSet
from studio.page import leave
from studio.runs import ModelFile
from studio.safety import POLICY_OF_REPORTS
from studio.settings import StudioError
from studio.shared import Studio, of
from training.run import NAME, Run

router = APIRouter(prefix="/models")

DATA, PICTURES = "DATA", "PICTURES"  # in commands, as long as no data set is chosen
EXPLAINED = 12  # pictures


@dataclass(frozen=True)
class Tool:
    """A command on a model file.

    Attributes:
        about: what it is for, in words.
        argv: the command.
    """

    about: str
    argv: Sequence[str]


@router.get("")
def all_models(request: Request) -> Response:
    """Tables of all trainings and of all model files."""
    studio = of(request)
    trainings, files = runs.found(studio.settings.searched)
    return studio.page(
        request,
        "models",
        runs=trainings,
        files=[(file, _frame_ms(studio, file.path)) for file in files],
        metrics=curves.measures(trainings),
    )


@router.get("/run")
def run(request: Request, path: str) -> Response:
    """One training."""
    one = run_in(of(request), path)
    return of(request).page(
        request, "run", run=one, metrics=curves.measures([one]), charts=curves.of_runs([one.folder])
    )


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
    number = studio.jobs.add(f"export {runs.name(one.folder)}", argv, kind="export", about=str(one.folder))
    return leave(request, f"/jobs/{number}")


@router.get("/file")
def file(request: Request, path: str) -> Response:
    """One model file, and what can be done with it."""
    studio = of(request)
    real = studio.settings.readable.inside(path)
    one = runs.model(real)
    task = one.spec.task if one.spec else ""
    sets = [each for each in studio.catalogue.sets() if each.state == READY and each.task == task]
    reports = [(page.parent.name, page) for page in sorted(_outputs(studio, real).glob("*/report.html"))]
    reports += [
        (job.title, page)
        for job in explanations.of_weights(studio.jobs, runs.weights(real))
        if (page := explanations.report(job))
    ]
    return studio.page(
        request,
        "model",
        file=one,
        frame_ms=_frame_ms(studio, real),
        sets=sets,
        tools=_tools(studio, one, None),
        jobs=studio.jobs.latest(about=str(real), limit=10),
        reports=reports,
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
    real = studio.settings.readable.inside(path)
    one, known = runs.model(real), studio.catalogue.get(data)
    tools = _tools(studio, one, known)
    if tool not in tools:
        raise HTTPException(404, "There is no such command")
    argv = tools[tool].argv
    if known is None and not {DATA, PICTURES}.isdisjoint(argv):
        raise StudioError(f"{tool} needs a data set; choose one, or add it in the room Data")
    _outputs(studio, real).mkdir(parents=True, exist_ok=True)
    number = studio.jobs.add(f"{tool} {runs.model_name(real)}", argv, kind="models", about=str(real))
    return leave(request, f"/jobs/{number}")


@router.post("/file/car")
def make_it_the_cars(request: Request, path: Annotated[str, Form()]) -> Response:
    """Copy a model file, and its INT8 version, to where the car's launch file is pointed at."""
    studio = of(request)
    real = studio.settings.readable.inside(path)
    spec, folder = runs.model(real).spec, studio.settings.car
    if spec is None or precision_of(real) == "int8":
        raise StudioError(f"{real.name} cannot be the car's model by itself; take the file that is not INT8")
    folder.mkdir(parents=True, exist_ok=True)
    usual = folder / TASKS[spec.task].file
    rounded, usual_rounded = (each.with_name(each.stem + SUFFIX) for each in (real, usual))
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
    real = of(request).settings.readable.inside(path)
    if real.suffix != ".html":
        raise HTTPException(404, "There is no such report")
    return FileResponse(real, media_type="text/html", headers={"Content-Security-Policy": POLICY_OF_REPORTS})


def run_in(studio: Studio, path: str) -> Run:
    """The training in a folder.

    Raises:
        OutsideError: the folder is none that the studio may read.
        StudioError: it holds no training.
    """
    real = studio.settings.readable.inside(path)
    if (one := runs.run(real)) is None:
        raise StudioError(f"{real} holds no {NAME} of a training")
    return one


def _tools(studio: Studio, file: ModelFile, data: DataSet | None) -> dict[str, Tool]:
    """Commands on a model file, with a data set or with what stands for one; none if it cannot be read."""
    if file.spec is None:
        return {}
    training, out = [sys.executable, "-m", "training"], _outputs(studio, file.path)
    model, root = str(file.path), str(data.path) if data else DATA
    evaluate = [*training, "evaluate", model, root, "--out", str(out / "evaluate")]
    corrupt = [*training, "corrupt", model, root, "--limit", "40", "--out", str(out / "corrupt")]
    tools = {
        "evaluate": Tool("how good it is", evaluate),
        "corrupt": Tool("how good it is in fog, noise and bad light", corrupt),
        "profile": Tool("where its time goes", [*training, "profile", model, "--out", str(out / "profile")]),
    }
    if precision_of(file.path) == "int8":
        return tools
    rounded = file.path.with_name(file.path.stem + SUFFIX)
    rounded = out / rounded.name if rounded.exists() else rounded  # a shipped one stays as it is
    quantize = [*training, "quantize", model, root, str(rounded)]
    tools["quantize"] = Tool("a smaller, faster version of it", quantize)
    weights = runs.weights(file.path)
    if not weights.exists():
        return tools
    pictures = studio.catalogue.some(data.id, "val", EXPLAINED) if data else [PICTURES]
    explain = explanations.command(weights, pictures, out / "explain")
    tools["explain"] = Tool(f"why it answers what it does, in {EXPLAINED} pictures", explain)
    if not any(output.holds_ids for output in TASKS[file.spec.task].outputs.values()):
        # A mask has no things with surroundings.
        shortcuts = [*explanations.command(weights, [root], out / "shortcuts"), "--shortcuts"]
        tools["shortcuts"] = Tool("which classes it knows by their surroundings", shortcuts)
    return tools


def _frame_ms(studio: Studio, path: Path) -> float | None:
    return runs.frame_ms(_outputs(studio, path) / "profile" / "profile.json")


def _outputs(studio: Studio, path: Path) -> Path:
    """Where commands on a model file write."""
    return studio.settings.state / "models" / re.sub(r"\W+", "_", str(path.with_suffix(""))).strip("_")
