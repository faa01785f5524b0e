"""Live: the running graph on this machine or a car: pictures, signs, the floor, health, settings, recordings."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, HTTPException, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response, StreamingResponse

from perception import topics
from perception.ground.topics import GROUND
from perception.tasks import shipped
from studio.live import nodes, pictures, said
from studio.live.pictures import Picture, Source
from studio.page import leave
from studio.settings import StudioError
from studio.shared import Studio, of

router = APIRouter(prefix="/live")

KIND = "live"
PERIOD_S = 1 / 15  # between two pictures of a stream at least; those that come meanwhile are left out
SAY_S = 2.0  # without a picture, after which a stream says so
EDGE = b"frame"
BRIDGE_PORT = 8765  # of foxglove_bridge, unless it is told another
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]")
_STATUSES, _EVENTS = 30, 20  # messages that are kept

Topic = Annotated[str, Query(max_length=255)]
Name = Annotated[str, Form(max_length=255)]
