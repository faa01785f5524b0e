"""What all rooms share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse

from studio.catalogue import Catalogue
from studio.index import Index
from studio.jobs import Job, Jobs
from studio.live.link import Link
from studio.page import Pages
from studio.settings import Settings
from studio.webcam import Webcam


@dataclass(frozen=True)
class Studio:
    """What all rooms share.

    Attributes:
        settings: what the studio was started with.
        page: renders templates.
        catalogue: lists of pictures.
        index: fills it.
        jobs: the queue of commands.
        webcam: answers about the frames of a browser's camera.
        live: the running graph of ROS 2.
    """

    settings: Settings
    page: Pages
    catalogue: Catalogue
    index: Index
    jobs: Jobs
    webcam: Webcam
    live: Link

    def job_page(self, request: Request, whole: str, part: str, job: Job, **values: Any) -> HTMLResponse:
        """A page about a job, with its log; htmx, which asks again and again, gets the part that changes.

        Args:
            request: what asked for it.
            whole: template of the page.
            part: template of what changes.
            job: what it is about.
            values: what the templates show besides.
        """
        name = part if "hx-request" in request.headers else whole
        log, reason = self.jobs.tail(job.number), self.jobs.reason(job)
        return self.page(request, name, job=job, log=log, reason=reason, **values)


def of(request: Request) -> Studio:
    """The studio that a request came to."""
    studio: Studio = request.app.state.studio
    return studio
