"""Link: what rooms have of the running graph. ROS 2 is imported when the first of them asks."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from perception.errors import PerceptionError
from studio.settings import StudioError

if TYPE_CHECKING:
    from studio.live.graph import Graph


class Link:
    """Joins the graph when somebody looks, and again after it has left it because nobody did.

    Attributes:
        is_ending: the server ends, and so shall all pictures.
    """

    def __init__(self) -> None:
        self.is_ending = False
        self._lock = threading.Lock()
        self._graph: Graph | None = None

    def graph(self) -> Graph:
        """The graph, joined by now.

        Raises:
            StudioError: ROS 2 is not there, or cannot start.
        """
        with self._lock:
            if self._graph is None or self._graph.is_over:
                self._graph = _joined()
            return self._graph

    def close(self) -> None:
        """Leave the graph."""
        with self._lock:
            if self._graph is not None:
                self._graph.close()
            self._graph = None


def _joined() -> Graph:
    try:
        from studio.live.graph import Graph
    except ImportError as error:
        raise StudioError(
            f"this room needs ROS 2, which this Python does not have ({error}): run 'make setup', or source "
            "an installed one such as /opt/ros/jazzy/setup.bash, and start the studio again; all other rooms "
            "work without it"
        ) from error
    try:
        return Graph()
    except PerceptionError as error:
        raise StudioError(str(error)) from error
