"""Runs and models: what was trained, what came of it, two or more side by side, and their reports."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Query, Request
from fastapi.responses import FileResponse, Response

from perception.report import charts
from studio import runs
from studio.catalogue import READY
from studio.page import leave
from studio.safety import POLICY_OF_REPORTS
from studio.settings import StudioError
from studio.shared import Studio, of
from training.checkpoint import flat
from training.run import NAME, Run

router = APIRouter(prefix="/models")

CURVES = ("train_loss", "val_")  # beginnings of the names that a page draws

Paths = Annotated[list[str], Query(alias="run")]


@router.get("")
def all_models(request: Request) -> Response:
    """Tables of all trainings and of all model files."""
    studio = of(request)
    trainings, files = runs.found(_roots(studio))
    return studio.page(request, "models", runs=trainings, files=files, metrics=_metrics(trainings))


@router.get("/run")
def run(request: Request, path: str) -> Response:
    """One training."""
    one = _run(of(request), path)
    return of(request).page(request, "run", run=one, charts=_charts([one]))


@router.get("/compare")
def compare(request: Request, paths: Paths) -> Response:
    """Trainings side by side."""
    studio = of(request)
    if len(paths) < 2:
        raise StudioError("choose two trainings or more to compare")
    chosen = [_run(studio, path) for path in paths]
    settings = [flat(one.config) for one in chosen]
    names = [name for name in settings[0] if len({str(each.get(name)) for each in settings}) > 1]
    return studio.page(
        request,
        "compare",
        runs=chosen,
        metrics=_metrics(chosen),
        settings=[(name, [each.get(name, "") for each in settings]) for name in names],
        charts=_charts(chosen),
    )


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


@router.get("/report")
def report(request: Request, path: str) -> Response:
    """A page that a command wrote: no script in it runs, and it loads nothing."""
    real = _inside(of(request), path)
    if real.suffix != ".html":
        raise HTTPException(404, "There is no such report")
    return FileResponse(real, media_type="text/html", headers={"Content-Security-Policy": POLICY_OF_REPORTS})


def _roots(studio: Studio) -> list[Path]:
    return [studio.settings.runs, *studio.settings.folders.roots]


def _inside(studio: Studio, path: str) -> Path:
    """A file in the folders, or of the shipped models, or that the studio's own jobs wrote."""
    return studio.settings.readable.inside(path)


def _run(studio: Studio, path: str) -> Run:
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


def _metrics(trainings: Sequence[Run]) -> list[str]:
    """Names of the measures that these trainings have, those of validation first; rates are none."""
    names = dict.fromkeys(name for one in trainings for name in one.metrics if name.startswith(CURVES))
    return sorted(names, key=lambda name: not name.startswith("val_"))


def _charts(trainings: Sequence[Run]) -> list[tuple[str, str]]:
    """(name, SVG) of each curve that one of the trainings logged."""
    logged = {
        f"{one.folder.parent.parent.name}/{one.folder.name}": runs.curves(one.folder) for one in trainings
    }
    names = dict.fromkeys(name for lines in logged.values() for name in lines if name.startswith(CURVES))
    return [
        (name, plain(charts.curve({run: lines[name] for run, lines in logged.items() if name in lines})))
        for name in names
    ]


def plain(svg: str) -> str:
    """A chart without its own style, which the page's policy forbids; the style sheet has it."""
    return re.sub(r' style="[^"]*"', "", svg)
