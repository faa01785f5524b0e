"""Jobs: the queue of all commands, and what each prints."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from studio.jobs import GO_ON, PAUSE, STOP, Job
from studio.page import leave
from studio.shared import of

router = APIRouter(prefix="/jobs")

WISHES = {"pause": PAUSE, "go-on": GO_ON, "stop": STOP}


@router.get("")
def all_jobs(request: Request) -> Response:
    """The queue, the newest first."""
    studio = of(request)
    return studio.page(request, "jobs", jobs=studio.jobs.latest(limit=200))


@router.get("/{number}")
def job(request: Request, number: int) -> Response:
    """One command and what it prints."""
    studio, one = of(request), _job(request, number)
    return studio.job_page(request, "job", "job_state", one, asked_from=_asked_from(one))


@router.post("/{number}/{wish}")
def ask(request: Request, number: int, wish: str) -> Response:
    """Pause a job, go on with it or stop it."""
    if wish not in WISHES:
        raise HTTPException(404, "There is nothing of this name")
    of(request).jobs.ask(_job(request, number).number, WISHES[wish])
    return leave(request, f"/jobs/{number}")


def _asked_from(one: Job) -> tuple[str, str]:
    """Name and address of the page on which a job was asked for."""
    path, query = Path(one.about), urlencode({"path": one.about})
    pages = {
        "data": ("Data set", f"/data/{one.about}") if one.about else ("Data", "/data"),
        "train": ("Training", f"/train/{one.number}"),
        "trial": ("Train", f"/train?{urlencode({'set': path.parent.name, 'config': path.name})}"),
        "models": ("Model", f"/models/file?{query}"),
        "car": ("Model", f"/models/file?{query}"),
        "export": ("Training", f"/models/run?{query}"),
        "compare": ("Runs and models", "/models"),
        "try": ("Try", f"/try/{one.number}"),
        "explain": ("Try", "/try"),
        "live": ("Live", "/live"),
    }
    return pages.get(one.kind, ("Jobs", "/jobs"))


def _job(request: Request, number: int) -> Job:
    one = of(request).jobs.get(number)
    if one is None:
        raise HTTPException(404, "There is no such job")
    return one
