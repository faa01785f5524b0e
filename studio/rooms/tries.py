"""Try: a picture, a video, a bag or the webcam, with what the models find in it drawn over it."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import cv2
from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request, UploadFile
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, JSONResponse, Response

from perception.boxes import clip
from perception.errors import FrameError, InputError, PerceptionError
from perception.formats.kinds import VIDEO_SUFFIXES
from perception.paths import shared
from perception.pictures import SUFFIXES
from perception.reader import BoxesFrom
from perception.tasks import TASKS, shipped
from studio import explanations, runs, tries
from studio.folders import OutsideError
from studio.jobs import Job
from studio.page import leave
from studio.settings import StudioError
from studio.shared import Studio, of
from studio.tries import KIND, NONE, Choice

router = APIRouter(prefix="/try")

UPLOAD = "/try/upload"
LARGEST = 1 << 30  # bytes of a file that is uploaded
FRAME: BoxesFrom = "frame"  # each picture is one sign, so nothing finds any
FINDERS = sorted({task.finder for task in shipped().values() if task.finder})  # tasks that find signs
BAGS = (".mcap", ".db3", ".bag")
SHOWN = 24  # small pictures of a page

Number = Annotated[int, Query(ge=0)]


async def _sent(request: Request) -> dict[str, str]:
    """The fields of a form that are text."""
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}


Sent = Annotated[dict[str, str], Depends(_sent)]


@router.get("")
def room(request: Request) -> Response:
    """Give something, and what was given before."""
    studio = of(request)
    files = runs.found(studio.settings.searched)[1]
    return studio.page(
        request,
        "try",
        models={name: _of_task(files, name) for name in shipped()},
        finders=[path for name in FINDERS for path in _of_task(files, name)],
        accepted=",".join((*SUFFIXES, *VIDEO_SUFFIXES, *BAGS)),
        largest=LARGEST >> 20,
        roots=studio.settings.folders.roots,
        jobs=studio.jobs.latest(kind=KIND, limit=30),
    )


@router.post("/upload")
def upload(request: Request, file: UploadFile, sent: Sent) -> Response:
    """Take a file that a browser sends."""
    studio = of(request)
    choice = _choice(studio, sent)
    name = Path(file.filename or "").name
    suffix = Path(name).suffix.lower()
    if suffix not in (*SUFFIXES, *VIDEO_SUFFIXES, *BAGS):
        raise StudioError(f"{name or 'this'} is no picture, video or bag; give one of those")
    folder = _new_folder(studio)
    path = folder / f"given{suffix}"  # no part of a file name that a browser sends is used, but a known end
    try:
        with path.open("xb") as target:
            shutil.copyfileobj(file.file, target)
        return leave(request, f"/try/{_start(studio, path, folder, name, choice)}")
    except BaseException:
        shutil.rmtree(folder)
        raise


@router.post("")
def by_path(request: Request, path: Annotated[str, Form()], sent: Sent) -> Response:
    """Take what lies on this machine."""
    studio = of(request)
    real, choice = studio.settings.readable.inside(path.strip()), _choice(studio, sent)
    return leave(request, f"/try/{_start(studio, real, _new_folder(studio), real.name, choice)}")


@router.post("/camera")
async def camera(request: Request, stream: Annotated[str, Query(max_length=40)]) -> Response:
    """Answer about one frame of a webcam, as JSON."""
    studio, data = of(request), await request.body()
    try:
        choice = _choice(studio, request.query_params)
        answer = await run_in_threadpool(studio.webcam.answer, data, choice, stream)
    except FrameError as error:
        return JSONResponse({"error": f"this frame cannot be used: {error}"}, 400)
    except (PerceptionError, StudioError, OutsideError) as error:
        return JSONResponse({"error": str(error)}, 400)
    return JSONResponse(answer)


@router.get("/{number}")
def one(request: Request, number: int, frame: Number = 0) -> Response:
    """One try: a frame of it with what was found, and the other frames small."""
    studio, job = of(request), _try(request, number)
    drawn = tries.pictures(job)
    frame = max(0, min(frame, len(drawn) - 1))
    first = frame // SHOWN * SHOWN
    segmentation = tries.model_of(job, "segmentation")
    return studio.job_page(
        request,
        "try_one",
        "try_state",
        job,
        count=len(drawn),
        frame=frame,
        around=range(first, min(first + SHOWN, len(drawn))),
        answer=tries.answer(job, frame),
        labels=_labels(segmentation),
        explained=[
            (each, explanations.report(each)) for each in explanations.of_try(studio.jobs, Path(job.about))
        ],
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
    argv = explanations.command(weights, [path], place)
    about = found[thing].label if thing >= 0 else label
    argv += ["--label", about] if thing < 0 else []
    title = f"why {about} in frame {frame + 1} of {job.title}"
    studio.jobs.add(title, argv, kind=explanations.KIND, about=str(place))
    return leave(request, f"/try/{number}?frame={frame}#why")


@router.post("/{number}/forget")
def forget(request: Request, number: int) -> Response:
    """Delete a try that is over."""
    studio, job = of(request), _try(request, number)
    if not job.is_over:
        raise StudioError("it is still being looked at; stop it first")
    tries.forget(job)
    studio.jobs.change(number, kind="forgotten")
    return leave(request, "/try")


def _of_task(files: Sequence[runs.ModelFile], task: str) -> list[Path]:
    """The model files of a task, the usual one first."""
    paths = [file.path for file in files if file.spec and file.spec.task == task]
    return sorted(paths, key=lambda path: path.name != TASKS[task].file)


def _choice(studio: Studio, sent: Mapping[str, str]) -> Choice:
    """What a form chose to look at something; what it says nothing of is as usual."""
    chosen = {task: sent.get(task, "") for task in shipped()}
    models = {task: name if name == NONE else _model(studio, name, task) for task, name in chosen.items()}
    if set(models.values()) == {NONE}:
        raise StudioError("all models are left out; choose at least one")
    boxes = sent.get("boxes", "")
    if boxes == FRAME:
        return Choice(models, FRAME)
    return Choice(models, detector=Path(_model(studio, boxes, *FINDERS)) if boxes else None)


def _model(studio: Studio, wanted: str, *tasks: str) -> str:
    """A model file for one of these tasks, the shipped one if none is wanted."""
    if not wanted:
        return str(shared("models") / TASKS[tasks[0]].file)
    path = studio.settings.readable.inside(wanted)
    spec = runs.model(path).spec
    if spec is None or spec.task not in tasks:
        raise StudioError(f"{wanted} is no model for {' or '.join(tasks)}; choose one of the list")
    return str(path)


def _start(studio: Studio, given: Path, folder: Path, name: str, choice: Choice) -> int:
    argv = tries.command(given, folder / "out", choice)
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
    weights = runs.weights(model)
    if not weights.exists():
        raise StudioError(
            f"{weights} is not there, and explain needs it; python -m training export writes it"
        )
    return weights


def _try(request: Request, number: int) -> Job:
    job = of(request).jobs.get(number)
    if job is None or job.kind != KIND:
        raise HTTPException(404, "There is no such try")
    return job
