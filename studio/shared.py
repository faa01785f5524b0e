"""What all rooms share."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request

from studio.catalogue import Catalogue
from studio.index import Index
from studio.jobs import Jobs
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


def of(request: Request) -> Studio:
    """The studio that a request came to."""
    studio: Studio = request.app.state.studio
    return studio
