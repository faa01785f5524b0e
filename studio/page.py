"""Pages: the templates, and what all of them know."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from studio import runs

ROOMS = (
    ("data", "Data"),
    ("train", "Train"),
    ("models", "Runs and models"),
    ("try", "Try"),
    ("live", "Live"),
    ("jobs", "Jobs"),
)


class Pages:
    """Renders templates; whatever a file name or a log holds is text in them, never HTML."""

    def __init__(self) -> None:
        loader = FileSystemLoader(Path(__file__).parent / "templates")
        self._environment = Environment(
            loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        self._environment.filters |= {
            "command": command,
            "date": date,
            "duration": duration,
            "figure": figure,
            "clock": clock,
            "query": partial(urlencode, doseq=True),
            "training": runs.name,
            "model": runs.model_name,
        }

    def __call__(self, request: Request, name: str, /, *, status: int = 200, **values: Any) -> HTMLResponse:
        """One page, or a part of one.

        Args:
            request: what asked for it.
            name: of the template, without ``.html``.
            status: of the answer.
            values: what the template shows.
        """
        room = request.url.path.split("/")[1]
        template = self._environment.get_template(f"{name}.html")
        common = {"rooms": ROOMS, "room": room, "csrf": request.scope["csrf"]}
        return HTMLResponse(template.render(common | values), status)


def leave(request: Request, path: str) -> Response:
    """Go to another page after a change, with or without JavaScript."""
    if "hx-request" in request.headers:
        return Response(headers={"HX-Redirect": path})
    return RedirectResponse(path, 303)


def command(argv: Sequence[str]) -> str:
    """A command as somebody would type it; the interpreter's path is left out."""
    first, *rest = argv
    return shlex.join(["python" if Path(first).name.startswith("python") else first, *rest])


def date(seconds: float) -> str:
    """Date and time of a time since 1970, on this machine; empty for 0."""
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M") if seconds else ""


def clock(seconds: float) -> str:
    """The time of day of a time since 1970, on this machine."""
    return datetime.fromtimestamp(seconds).strftime("%H:%M:%S")


def duration(seconds: float) -> str:
    """Seconds in words, such as "1 h 43 min"."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def figure(value: float) -> str:
    """A number with four digits, such as "0.8694", "442.3 k" or "1.383 M"."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= size:
            return f"{value / size:.4g} {unit}"
    return f"{value:.4g}"
