"""Classroom: processes beside a notebook, in a ROS domain that no other notebook on this machine hears."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from perception.demo.child import Child
from perception.demo.demo import isolation
from perception.demo.domain import own_domain

_LINES = 6  # of each log, where something goes wrong


class Classroom:
    """A place for the processes of a notebook; they end with it. Make it before ``rclpy.init``.

    Args:
        logs: folder for what the processes print; made if it is not there.

    Raises:
        PerceptionError: others have all domains.
    """

    def __init__(self, logs: str | Path) -> None:
        self._logs = Path(logs)
        self._logs.mkdir(parents=True, exist_ok=True)
        self._children: list[Child] = []
        self.domain = own_domain()
        os.environ.update(isolation(self._logs))

    def start(self, module: str, *arguments: str) -> Child:
        """Start ``python -m module arguments`` beside the notebook, and print this command."""
        print("$ python -m", module, *arguments, file=sys.stderr)
        log = self._logs / f"{len(self._children):02d}-{module}.log"
        # Jupyter asks programs for colours, which a log cannot show.
        environment = {**os.environ, "TERM": "dumb", "COLUMNS": "100", "NO_COLOR": "1"}
        environment.pop("FORCE_COLOR", None)
        self._children.append(Child.start(module, (module, *arguments), environment=environment, log=log))
        return self._children[-1]

    def logs(self) -> str:
        """How the logs of all processes end."""
        return "\n".join(child.last_lines(_LINES) for child in self._children)

    def close(self) -> None:
        """End all processes."""
        for child in self._children:
            child.stop()
