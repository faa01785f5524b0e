"""Data: data sets, their classes and their pictures, and what ``check`` and ``audit`` say of them."""

from __future__ import annotations

import json
import sys
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
from fastapi import APIRouter, Form, HTTPException, Query, Request
from fastapi.responses import Response

from perception.engines.precision import precision_of
from perception.frames import Frame
from studio import runs
from studio.catalogue import FAILED, READY, DataSet, Entry, Filter
from studio.index import candidates
from studio.page import leave
from studio.settings import StudioError
from studio.shared import Studio, of
from training.datasets.images import DataError
from training.datasets.pictures import read_bgr
from training.gallery import Gallery
from training.tasks import TASKS, column

router = APIRouter(prefix="/data")

PAGE = 60  # pictures that are loaded together
THUMB = 160  # px of a small picture's height
KEPT = 2000  # small pictures in memory, about 10 kB each
QUALITY = 85

Opacity = Annotated[float, Query(ge=0.0, le=1.0)]


@router.get("")
def all_sets(request: Request) -> Response:
    """Known data sets, and folders that look like some."""
    studio = of(request)
    known = studio.catalogue.sets()
    paths = {one.path for one in known}
    others = [path for path in candidates(studio.settings.folders) if path not in paths]
    files = runs.found(studio.settings.searched)[1]
    return studio.page(
        request,
        "data",
        sets=known,
        others=others,
        roots=studio.settings.folders.roots,
        models=[file.path for file in files if _picks_frames(file)],
    )


@router.post("")
def add(request: Request, path: Annotated[str, Form()]) -> Response:
    """Take a folder in."""
    studio = of(request)
    folder = studio.settings.folders.inside(path.strip())
    if not folder.is_dir():
        raise StudioError(f"{folder} is a file; give the folder of the data set")
    return leave(request, f"/data/{studio.index.add(folder)}")


@router.get("/{set_id}")
def pictures(
    request: Request,
    set_id: str,
    *,
    label: Annotated[str, Query(alias="class")] = "",
    part: Annotated[str, Query(pattern="^(train|val|)$")] = "",
    suspicious: bool = False,
    opacity: Opacity = 0.5,
    start: Annotated[int, Query(alias="from", ge=0)] = 0,
) -> Response:
    """The pictures of one data set; with ``from``, only the next ones."""
    studio, one = of(request), _known(request, set_id)
    _take_in(studio, one)
    class_id = int(label) if label.isdigit() and int(label) < len(one.labels) else None
    wanted = Filter(class_id, part, suspicious)
    entries = studio.catalogue.page(set_id, wanted, start=start, count=PAGE + 1)
    chosen = {"class": label, "part": part, "suspicious": suspicious or "", "opacity": opacity}
    values: dict[str, Any] = {
        "set": one,
        "entries": entries[:PAGE],
        "next": entries[PAGE].number if len(entries) > PAGE else None,
        "chosen": {name: value for name, value in chosen.items() if value != ""},
        "opacity": opacity,
    }
    audit = report_of(studio, "audits", set_id).with_name("report.html")
    if start and "hx-request" in request.headers:
        return studio.page(request, "data_pictures", **values)
    return studio.page(
        request,
        "data_set",
        counts=studio.catalogue.counts(set_id),
        suspicious=studio.catalogue.suspicious(set_id),
        jobs=studio.jobs.latest(about=set_id, limit=5),
        commands={name: argv for name, (_, argv) in _tools(studio, one).items()},
        audit=audit if audit.exists() else None,
        **values,
    )


@router.get("/{set_id}/state")
def state(request: Request, set_id: str) -> Response:
    """How far the list of pictures is; at its end, the page is loaded again, with the pictures."""
    one = _known(request, set_id)
    answer = of(request).page(request, "data_state", set=one)
    if one.state in (READY, FAILED):
        answer.headers["HX-Refresh"] = "true"
    return answer


@router.post("/{set_id}/{action}")
def act(request: Request, set_id: str, action: str) -> Response:
    """Look at a data set again, forget it, or run a command on it."""
    studio, one = of(request), _known(request, set_id)
    tools = _tools(studio, one)
    if action == "again":
        studio.index.add(one.path)
    elif action == "forget":
        studio.catalogue.forget(set_id)
        return leave(request, "/data")
    elif action in tools:
        title, argv = tools[action]
        number = studio.jobs.add(title, argv, kind="data", about=set_id)
        return leave(request, f"/jobs/{number}")
    else:
        raise HTTPException(404, "There is nothing of this name")
    return leave(request, f"/data/{set_id}")


@router.get("/{set_id}/small/{number}")
def small(request: Request, set_id: str, number: int, opacity: Opacity = 0.5) -> Response:
    """A small picture with its truth."""
    one, entry = _known(request, set_id), _entry(request, set_id, number)
    path = of(request).settings.folders.inside(entry.path)
    changed = path.stat().st_mtime_ns
    truth, common = json.dumps(entry.truth), json.dumps(dict(one.common))
    return _jpeg(_thumb(str(path), one.task, changed=changed, truth=truth, common=common, opacity=opacity))


@router.get("/{set_id}/picture/{number}")
def picture(request: Request, set_id: str, number: int, opacity: Opacity = 0.5) -> Response:
    """A whole picture with its truth."""
    one, entry = _known(request, set_id), _entry(request, set_id, number)
    path = of(request).settings.folders.inside(entry.path)
    return _jpeg(_encoded(_drawn(path, one.task, entry.truth, one.common, opacity)))


@router.get("/{set_id}/{number}")
def single(request: Request, set_id: str, number: int, opacity: Opacity = 0.5) -> Response:
    """One picture at full size, and all that is known of it."""
    studio, one, entry = of(request), _known(request, set_id), _entry(request, set_id, number)
    path = studio.settings.folders.inside(entry.path)
    try:
        height, width = read_bgr(path).shape[:2]
        size = f"{width}×{height} px"
    except DataError as error:
        size = str(error)
    return studio.page(
        request,
        "data_picture",
        set=one,
        entry=entry,
        opacity=opacity,
        facts={
            "file": path,
            "size": f"{size}, {path.stat().st_size / 1000:.0f} kB",
            "part": {"train": "to learn from", "val": "to validate on"}[entry.part],
            "classes": ", ".join(one.labels[class_id] for class_id in entry.class_ids) or "none",
            **({"suspicion": entry.suspicion} if entry.suspicion else {}),
        },
    )


def _picks_frames(file: runs.ModelFile) -> bool:
    """Whether frames are picked by such a model; its INT8 version would pick nearly the same."""
    return bool(file.spec and TASKS[file.spec.task].extract) and precision_of(file.path) != "int8"


def _known(request: Request, set_id: str) -> DataSet:
    one = of(request).catalogue.get(set_id)
    if one is None:
        raise HTTPException(404, "There is no such data set")
    return one


def _entry(request: Request, set_id: str, number: int) -> Entry:
    entry = of(request).catalogue.entry(set_id, number)
    if entry is None:
        raise HTTPException(404, "There is no such picture")
    return entry


def _tools(studio: Studio, one: DataSet) -> dict[str, tuple[str, list[str]]]:
    """Commands on a data set: the title of each, and the command."""
    training = [sys.executable, "-m", "training"]
    said, audit = (report_of(studio, name, one.id) for name in ("checks", "audits"))
    return {
        "check": (f"check {one.path.name}", [*training, "check", str(one.path), "--json", str(said)]),
        "audit": (f"audit {one.path.name}", [*training, "audit", str(one.path), "--out", str(audit.parent)]),
    }


def report_of(studio: Studio, kind: str, set_id: str) -> Path:
    """Where a command writes what it says of a data set."""
    return studio.settings.state / kind / set_id / {"checks": "check.json", "audits": "audit.json"}[kind]


def _take_in(studio: Studio, one: DataSet) -> None:
    """Mark the pictures of which ``check`` or ``audit`` said something since this was last done."""
    files = [path for kind in ("checks", "audits") if (path := report_of(studio, kind, one.id)).exists()]
    stamp = max((path.stat().st_mtime for path in files), default=0.0)
    if one.state != READY or stamp <= one.said:
        return
    said: dict[str, str] = {}
    for path in files:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
        rows = (
            [(row["path"], f"{row['kind']}: {row['message']}") for row in content]
            if isinstance(content, list)
            else [(str(one.path / row["file"]), row["says"]) for row in content["labels"] if row["likely"]]
        )
        for name, text in rows:
            said[name] = f"{said[name]}; {text}" if name in said else text
    studio.catalogue.suspect(one.id, said.items())
    studio.catalogue.change(one.id, said=stamp)


@lru_cache(maxsize=KEPT)
def _thumb(path: str, task: str, *, changed: int, truth: str, common: str, opacity: float) -> bytes:
    """A small picture; ``changed`` makes a new one when the file has changed."""
    return _encoded(_drawn(Path(path), task, json.loads(truth), json.loads(common), opacity, height=THUMB))


def _drawn(path: Path, task: str, truth: Any, common: Any, opacity: float, *, height: int = 0) -> Frame:
    """A picture with its truth; one that cannot be read is grey and says why in its page."""
    gallery: type[Gallery] = column(task, "gallery")
    try:
        frame = gallery.draw(read_bgr(path), truth, common, opacity)
    except DataError:
        return np.full((height or THUMB, height or THUMB, 3), 127, np.uint8)
    if not height or frame.shape[0] <= height:
        return frame
    size = (max(1, round(frame.shape[1] * height / frame.shape[0])), height)
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)


def _encoded(frame: Frame) -> bytes:
    return cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()


def _jpeg(data: bytes) -> Response:
    return Response(data, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=60"})
