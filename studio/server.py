"""The server: uvicorn, with which answers end that would go on as long as somebody looks."""

from __future__ import annotations

from types import FrameType

import uvicorn

from studio.app import create_app
from studio.live.link import Link
from studio.settings import Settings

PATIENCE_S = 2  # for answers that are under way when it ends


class Server(uvicorn.Server):
    """A server that waits for no picture of a camera before it ends.

    Args:
        config: what it serves, and where.
        link: what the pictures come from.
    """

    def __init__(self, config: uvicorn.Config, link: Link) -> None:
        super().__init__(config)
        self._link = link

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal ends it."""
        self._link.is_ending = True
        super().handle_exit(sig, frame)


def serve(settings: Settings) -> None:
    """Serve the studio until Ctrl-C."""
    link = Link()
    config = uvicorn.Config(
        create_app(settings, link),
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,  # addresses would hold the token
        timeout_graceful_shutdown=PATIENCE_S,
    )
    Server(config, link).run()
