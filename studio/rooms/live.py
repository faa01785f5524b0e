"""Live: the running graph on this machine or a car: pictures, signs, the floor, health, settings, drives."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, HTTPException, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response, StreamingResponse

from studio import names
from studio.live import nodes, pictures, view
from studio.live.pictures import Source
from studio.page import leave
from studio.settings import StudioError
from studio.shared import Studio, of

router = APIRouter(prefix="/live")

KIND = "live"
PERIOD_S = 1 / 15  # between two pictures of a stream at least; those that come meanwhile are left out
BOUNDARY = "frame"
SAY_S = 1.5  # in which a node says how it is
BRIDGE = "ws://{}:8765"  # of foxglove_bridge, unless it is given another port
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]")

Show = Annotated[list[str] | None, Query(max_length=pictures.AT_ONCE)]
Text = Annotated[str, Form(max_length=4000)]


@router.get("")
def room(request: Request, show: Show = None, host: Annotated[str, Query(max_length=255)] = "") -> Response:
    """The graph."""
    studio = of(request)
    try:
        studio.live.graph().settle()
    except StudioError as error:  # all other rooms work, so this is a page and no error
        return studio.page(request, "refused", title="Live", text=str(error))
    values = _state(studio, show)
    taken = {path.stem for path in _drives(studio).glob("*.mcap")}
    return studio.page(
        request,
        "live",
        sources=values["found"],
        at_once=pictures.AT_ONCE,
        drives=_drives(studio),
        name=names.free(time.strftime("drive-%Y-%m-%d-%H%M"), taken),
        host=host or "localhost",
        foxglove=_foxglove(host or "localhost"),
        **values,
    )


@router.get("/state")
def state(request: Request, show: Show = None, known: str = "") -> Response:
    """What the nodes say now.

    Args:
        request: what asked for it.
        show: topics whose pictures are on the page.
        known: all topics with pictures that there were when the page was loaded.
    """
    studio = of(request)
    values = _state(studio, show)
    is_other = known != values["known"]
    answer = studio.page(request, "live_state", **values | {"known": known, "is_other": is_other})
    if is_other and (studio.live.graph().is_new or not known):
        answer.headers["HX-Refresh"] = "true"
    return answer


@router.get("/picture")
def picture(request: Request, topic: str) -> Response:
    """The newest picture of a topic."""
    studio = of(request)
    source, end = _source(studio, topic), time.monotonic() + view.FRESH_S
    while (part := _newest(studio, source, None)) is None and time.monotonic() < end:
        time.sleep(PERIOD_S)
    return Response(part[1] if part else pictures.card(f"Nothing comes on {topic}"), media_type="image/jpeg")


@router.get("/stream")
async def stream(request: Request, topic: str) -> Response:
    """The pictures of a topic, the newest only, as long as somebody looks."""
    studio = of(request)
    source = await run_in_threadpool(_source, studio, topic)
    return StreamingResponse(
        _stream(studio, source), media_type=f"multipart/x-mixed-replace; boundary={BOUNDARY}"
    )


@router.get("/node")
def node(request: Request, name: str) -> Response:
    """One node: its state and parameters."""
    studio = of(request)
    graph, known = studio.live.graph(), _node(studio, name)
    values = _node_state(studio, known)
    try:
        settings, problem = nodes.parameters(graph, known), ""
    except StudioError as error:
        settings, problem = [], str(error)
    possible = nodes.FROM.get(values["state"], tuple(nodes.TRANSITIONS))
    return studio.page(
        request,
        "live_node",
        parameters=settings,
        problem=problem,
        transitions=list(nodes.TRANSITIONS),
        possible=possible,
        **values,
    )


@router.get("/node/{part}")
def node_state(request: Request, part: str, name: str) -> Response:
    """What one node says now: its ``state``, or its ``values``."""
    if part not in ("state", "values"):
        raise HTTPException(404, "There is nothing of this name")
    studio = of(request)
    return studio.page(request, f"live_node_{part}", **_node_state(studio, _node(studio, name)))


@router.post("/transition")
def change(request: Request, node: Text, transition: Text) -> Response:
    """Have a node go through a transition of its lifecycle."""
    studio = of(request)
    known = _node(studio, node)
    if transition not in nodes.TRANSITIONS:
        raise HTTPException(404, "There is no such transition")
    try:
        nodes.change(studio.live.graph(), known, transition)
    except StudioError as error:
        raise StudioError(f"{error}. {_words(studio, known)}") from error
    return leave(request, f"/live/node?{urlencode({'name': known})}")


@router.post("/parameter")
def set_parameter(request: Request, node: Text, name: Text, value: Text = "") -> Response:
    """Set a parameter of a node."""
    studio = of(request)
    known = _node(studio, node)
    nodes.set_parameter(studio.live.graph(), known, name, value)
    return leave(request, f"/live/node?{urlencode({'name': known})}")


@router.post("/record")
def record(
    request: Request,
    *,
    name: Annotated[str, Form(max_length=60)],
    topic: Annotated[list[str] | None, Form()] = None,
    seconds: Annotated[float | None, Form(gt=0, le=86_400)] = None,
    megabytes: Annotated[float | None, Form(gt=0, le=1_000_000)] = None,
) -> Response:
    """Queue the recording of a drive."""
    studio = of(request)
    known = {source.topic for source in pictures.sources(_offered(studio))}
    if strange := sorted(set(topic or ()) - known):
        raise StudioError(f"{strange[0]} is not published; load the page again, and choose anew")
    path = _drives(studio) / f"{names.plain(name, 'drive')}.mcap"
    if path.exists():
        raise StudioError(f"{path} exists already; choose another name")
    path.parent.mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, "-m", "perception", "record", str(path)]
    argv += ["--topics", *topic] if topic else []
    argv += ["--seconds", f"{seconds:g}"] if seconds else []
    argv += ["--megabytes", f"{megabytes:g}"] if megabytes else []
    studio.jobs.add(f"record {path.stem}", argv, kind=KIND, about=str(path))
    return leave(request, "/live")


def _drives(studio: Studio) -> Path:
    """Where drives are recorded."""
    return studio.settings.runs / "drives"


def _offered(studio: Studio) -> Mapping[str, str]:
    return studio.live.graph().offered(view.KINDS)


def _state(studio: Studio, show: list[str] | None) -> dict[str, Any]:
    graph = studio.live.graph()
    offered = _offered(studio)
    found = pictures.sources(offered)
    chosen = pictures.first(found) if show is None else [one for one in found if one.topic in show]
    lamps, problem = view.lamps(graph, offered)
    known = sorted(graph.nodes())
    return {
        "domain": graph.domain,
        "found": found,
        "known": " ".join(sorted(one.topic for one in found)),
        "is_other": False,
        "shown": [view.shown(graph, offered, one) for one in chosen],
        "show": [one.topic for one in chosen],
        "lamps": lamps,
        "lamps_problem": problem,
        "nodes": known,
        "signs": view.signs(graph, offered),
        "ways": view.ways(graph, offered),
        "jobs": studio.jobs.latest(kind=KIND, limit=5),
    }


def _node(studio: Studio, name: str) -> str:
    """A node's full name, if it is in the graph."""
    if name not in studio.live.graph().nodes():
        studio.live.graph().settle()  # it may just have joined
        if name not in studio.live.graph().nodes():
            raise HTTPException(404, "There is no such node; it may have ended")
    return name


def _node_state(studio: Studio, name: str) -> dict[str, Any]:
    graph = studio.live.graph()
    lamps, _ = view.lamps(graph, _offered(studio))
    try:
        found = nodes.state(graph, name)
    except StudioError:
        found = "does not answer"
    return {"node": name, "state": found, "lamps": [lamp for lamp in lamps if lamp.node == name]}


def _words(studio: Studio, name: str) -> str:
    """What a node says about itself a little later than now, because it says so once a second."""
    graph, offered = studio.live.graph(), _offered(studio)
    view.lamps(graph, offered)  # so that it is subscribed to
    time.sleep(SAY_S)
    told = [lamp for lamp in view.lamps(graph, offered)[0] if lamp.node == name]
    texts = "; ".join(lamp.text for lamp in told)
    return f"It says: {texts}" if texts else "It says nothing on /diagnostics; look at its log"


def _source(studio: Studio, topic: str) -> Source:
    graph = studio.live.graph()
    graph.settle()
    found = next((one for one in pictures.sources(_offered(studio)) if one.topic == topic), None)
    if found is None:
        raise HTTPException(404, "There are no pictures of this name")
    return found


def _newest(studio: Studio, source: Source, last: object) -> tuple[object, bytes] | None:
    """The newest message of a topic as JPEG, unless it is the last one, or there is none."""
    graph = studio.live.graph()
    arrived = graph.watch(source.topic, source.kind).newest
    if arrived is None or arrived is last:
        return None
    return arrived, view.picture(graph, _offered(studio) if source.labels else {}, source, arrived).jpeg


async def _stream(studio: Studio, source: Source) -> AsyncIterator[bytes]:
    yield f"--{BOUNDARY}\r\n".encode()
    last, at, is_silent = None, time.monotonic(), False
    while not studio.live.is_ending:
        part = await run_in_threadpool(_newest, studio, source, last)
        now = time.monotonic()
        if part is not None:
            (last, jpeg), at, is_silent = part, now, False
            yield _part(jpeg)
        elif now - at > view.FRESH_S and not is_silent:
            is_silent = True
            yield _part(await run_in_threadpool(pictures.card, f"Nothing comes on {source.topic}"))
        await asyncio.sleep(PERIOD_S)


def _part(jpeg: bytes) -> bytes:
    """One picture; the boundary after it has browsers show it at once, and not with the next one."""
    head = f"Content-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
    return head.encode() + jpeg + f"\r\n--{BOUNDARY}\r\n".encode()


def _foxglove(host: str) -> dict[str, str]:
    """Addresses that open Foxglove with what a foxglove_bridge on a machine offers.

    Raises:
        StudioError: this is no name or address of a machine.
    """
    if not _HOST.fullmatch(host):
        raise StudioError(f"{host!r} is no name or address of a machine; give one such as car.local")
    query = urlencode({"ds": "foxglove-websocket", "ds.url": BRIDGE.format(host)})
    return {"app": f"foxglove://open?{query}", "web": f"https://app.foxglove.dev/~/view?{query}"}
