"""The application: the rooms, and the guard in front of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from perception.report.page import STYLE
from studio.catalogue import Catalogue
from studio.database import Database
from studio.folders import OutsideError
from studio.index import Index
from studio.jobs import Jobs
from studio.live.link import Link
from studio.page import Pages
from studio.rooms import beside, bring, data, jobs, live, models, train, tries
from studio.safety import Guard
from studio.settings import Settings, StudioError
from studio.shared import Studio
from studio.webcam import Webcam


def create_app(settings: Settings, link: Link | None = None) -> ASGIApp:
    """The studio as an ASGI application; ``link`` is what it has of the running graph."""
    database = Database(settings.state)
    catalogue, queue = Catalogue(database), Jobs(database)
    if queue.unfinished():
        queue.wake()
    studio = Studio(
        settings, Pages(), catalogue, Index(catalogue, settings.folders), queue, Webcam(), link or Link()
    )

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        yield
        studio.index.close()
        studio.webcam.close()
        studio.live.close()

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=life)
    app.state.studio = studio

    @app.get("/static/report.css")
    def report_style() -> Response:
        return Response(STYLE, media_type="text/css", headers={"Cache-Control": "max-age=3600"})

    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"))
    for room in (bring, data, train, models, beside, tries, live, jobs):
        app.include_router(room.router)

    @app.get("/")
    def home() -> Response:
        return RedirectResponse("/data", 303)

    @app.exception_handler(OutsideError)
    @app.exception_handler(StudioError)
    def refused(request: Request, error: Exception) -> Response:
        status = 404 if isinstance(error, OutsideError) else 400
        return studio.page(request, "refused", status=status, title="This does not work", text=str(error))

    @app.exception_handler(HTTPException)
    def missing(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return studio.page(
            request, "refused", status=error.status_code, title=f"{error.detail}", text="Choose a room above."
        )

    return Guard(app, settings, largest={tries.UPLOAD: tries.LARGEST})
