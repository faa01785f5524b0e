"""Try: a picture, a video, a bag or the webcam, with what the models find in it drawn over it."""

from __future__ import annotations

import re
import secrets
import shutil
import sys
from pathlib import Path
from typing import Annotated, Any

import cv2
from fastapi import APIRouter, Form, HTTPException, Query, Request, UploadFile
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, JSONResponse, Response

from perception.boxes import clip
from perception.errors import FrameError, InputError
from perception.formats.kinds import VIDEO_SUFFIXES
from perception.pictures import SUFFIXES
from perception.tasks import TASKS, shipped
from studio import runs, tries
from studio.jobs import DONE, Job
from studio.page import leave
from studio.settings import StudioError
from studio.shared import Studio, of
from studio.tries import KIND, NONE

router = APIRouter(prefix="/try")

UPLOAD = "/try/upload"
LARGEST = 1 << 30  # bytes of a file that is uploaded
BOXES = {"detector": "the detector", "frame": "each picture is one sign"}  # of perception run's
BAGS = (".mcap", ".db3", ".bag")
SHOWN = 24  # small pictures of a page

Number = Annotated[int, Query(ge=0)]


@router.get("")
def room(request: Request) -> Response:
    """Give something, and what was given before."""
    studio = of(request)
    return studio.page(
        request,
        "try",
        models=_models(studio),
        boxes=BOXES,
        accepted=",".join((*SUFFIXES, *VIDEO_SUFFIXES, *BAGS)),
        largest=LARGEST >> 20,
        roots=studio.settings.folders.roots,
        jobs=studio.jobs.latest(kind=KIND, limit=30),
    )


@router.post("/upload")
async def upload(request: Request, file: UploadFile) -> Response:
    """Take a file that a browser sends."""
    studio = of(request)
    form = await request.form()
    name = Path(file.filename or "").name
    suffix = Path(name).suffix.lower()
    if suffix not in (*SUFFIXES, *VIDEO_SUFFIXES, *BAGS):
        raise StudioError(f"{name or 'this'} is no picture, video or bag; give one of those")
    folder = _new_folder(studio)
    path = folder / f"given{suffix}"  # no part of a file name that a browser sends is used, but a known end
    try:
        with path.open("xb") as target:
            await run_in_threadpool(shutil.copyfileobj, file.file, target)
        return leave(request, f"/try/{_start(studio, path, folder, name, dict(form))}")
    except BaseException:
        shutil.rmtree(folder)
        raise


@router.post("")
def by_path(
    request: Request,
    path: Annotated[str, Form()],
    signs: Annotated[str, Form()] = "",
    segmentation: Annotated[str, Form()] = "",
    boxes: Annotated[str, Form()] = "",
) -> Response:
    """Take what lies on this machine."""
    studio = of(request)
    real = studio.settings.readable.inside(path.strip())
    chosen = {"signs": signs, "segmentation": segmentation, "boxes": boxes}
    return leave(request, f"/try/{_start(studio, real, _new_folder(studio), real.name, chosen)}")


@router.post("/camera")
async def camera(request: Request, stream: Annotated[str, Query(max_length=40)]) -> Response:
    """Answer about one frame of a webcam, as JSON."""
    data = await request.body()
    try:
        answer = await run_in_threadpool(of(request).webcam.answer, data, stream)
    except FrameError as error:
        return JSONResponse({"error": f"this frame cannot be used: {error}"}, 400)
    return JSONResponse(answer)


@router.get("/{number}")
def one(request: Request, number: int, frame: Number = 0) -> Response:
    """One try: a frame of it with what was found, and the other frames small."""
    studio, job = of(request), _try(request, number)
    drawn = tries.pictures(job)
    frame = max(0, min(frame, len(drawn) - 1))
    first = frame // SHOWN * SHOWN
    segmentation = tries.model_of(job, "segmentation")
    return studio.page(
        request,
        "try_state" if "hx-request" in request.headers else "try_one",
        job=job,
        log=studio.jobs.tail(number),
        reason=studio.jobs.reason(job),
        count=len(drawn),
        frame=frame,
        around=range(first, min(first + SHOWN, len(drawn))),
        answer=tries.answer(job, frame),
        labels=_labels(segmentation),
        explained=[(each, _explanation(each)) for each in studio.jobs.latest(kind=_explains(job))],
        report=report if (report := tries.out(job) / "report.html").exists() else None,
    )


@router.get("/{number}/picture/{frame}")
def picture(request: Request, number: int, frame: int) -> Response:
    """A frame with what was found drawn over it."""
    drawn = tries.pictures(_try(request, number))
    if not 0 <= frame < len(drawn):
        raise HTTPException(404, "There is no such frame")
    return FileResponse(drawn[frame], media_type="image/jpeg")


@router.post("/{number}/explain")
def explain(
    request: Request,
    number: int,
    frame: Annotated[int, Form(ge=0)],
    thing: Annotated[int, Form(ge=-1)] = -1,
    label: Annotated[str, Form()] = "",
) -> Response:
    """Ask why: about a sign by its place in the table, or about a class of the mask."""
    studio, job = of(request), _try(request, number)
    task = "segmentation" if thing < 0 else "signs"
    weights = _weights(tries.model_of(job, task))
    found = tries.answer(job, frame).things
    if thing >= len(found) or (thing < 0 and label not in _labels(tries.model_of(job, task))):
        raise HTTPException(404, "There is nothing of this name in this frame")
    studio.settings.readable.inside(tries.given(job))  # a link may lead elsewhere by now
    try:
        image = tries.frame(job, frame)
    except InputError as error:
        raise StudioError(f"{error}; try it again") from error
    if image is None:
        raise HTTPException(404, "There is no such frame")
    place = Path(job.about) / f"why-{secrets.token_hex(4)}"
    place.mkdir()
    box = found[thing].box if thing >= 0 else None
    if box is not None:
        ((x1, y1, x2, y2),) = clip([box], *image.shape[:2])
        image = image[round(y1) : round(y2), round(x1) : round(x2)]
    path = place / f"{'sign' if thing >= 0 else 'frame'}-{frame + 1}.png"
    path.write_bytes(cv2.imencode(".png", image)[1].tobytes())
    argv = [sys.executable, "-m", "training", "explain", str(weights), str(path), "--out", str(place)]
    about = found[thing].label if thing >= 0 else label
    argv += ["--label", about] if thing < 0 else []
    studio.jobs.add(f"why {about} in frame {frame + 1}", argv, kind=_explains(job), about=str(place))
    return leave(request, f"/try/{number}?frame={frame}")


@router.post("/{number}/forget")
def forget(request: Request, number: int) -> Response:
    """Delete a try that is over."""
    studio, job = of(request), _try(request, number)
    if not job.is_over:
        raise StudioError("it is still being looked at; stop it first")
    tries.forget(job)
    studio.jobs.change(number, kind="forgotten")
    return leave(request, "/try")


def _models(studio: Studio) -> dict[str, list[Path]]:
    """Model files by task, the usual one first."""
    files = runs.found(studio.settings.searched)[1]
    usual = [TASKS[task].file for task in shipped()]
    fitting: dict[str, list[Path]] = {
        task: [file.path for file in files if file.spec and file.spec.task == task] for task in shipped()
    }
    return {task: sorted(paths, key=lambda path: path.name not in usual) for task, paths in fitting.items()}


def _start(studio: Studio, given: Path, folder: Path, name: str, chosen: dict[str, Any]) -> int:
    known = _models(studio)
    models = {}
    for task, paths in known.items():
        wanted = str(chosen.get(task, "")) or str(paths[0])
        if wanted not in (NONE, *map(str, paths)):
            raise StudioError(f"{wanted} is no model for {task}; choose one of the list")
        models[task] = wanted
    if set(models.values()) == {NONE}:
        raise StudioError("all models are left out; choose at least one")
    boxes = str(chosen.get("boxes") or "detector")
    if boxes not in BOXES:
        raise StudioError(f"signs cannot be taken from {boxes}; choose {' or '.join(BOXES)}")
    argv = tries.command(given, folder / "out", models, boxes)
    return studio.jobs.add(name, argv, kind=KIND, about=str(folder))


def _new_folder(studio: Studio) -> Path:
    folder = studio.settings.state / "tries" / secrets.token_hex(8)
    folder.mkdir(parents=True)
    return folder


def _labels(model: Path | None) -> tuple[str, ...]:
    """Classes of a model that can be asked about; none without its weights."""
    spec = runs.model(model).spec if model is not None else None
    return spec.labels if spec else ()


def _weights(model: Path | None) -> Path:
    """The weights that explain needs, which export wrote beside the model file."""
    if model is None:
        raise StudioError("this was tried without that model")
    weights = model.with_name(re.sub(r"(\.int8)?\.onnx$", ".safetensors", model.name))
    if not weights.exists():
        raise StudioError(
            f"{weights} is not there, and explain needs it; python -m training export writes it"
        )
    return weights


def _explains(job: Job) -> str:
    return f"explain {job.number}"


def _explanation(job: Job) -> Path | None:
    report = Path(job.about) / "report.html"
    return report if job.state == DONE and report.exists() else None


def _try(request: Request, number: int) -> Job:
    job = of(request).jobs.get(number)
    if job is None or job.kind != KIND:
        raise HTTPException(404, "There is no such try")
    return job
