"""A browser without a screen: it keeps cookies, and sends the form's CSRF token with each change."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from studio.app import create_app
from studio.database import Database
from studio.folders import Folders
from studio.jobs import STOPPED, Jobs
from studio.safety import CSRF, FIELD
from studio.settings import Settings

PATIENCE_S = 120.0


class Browser(TestClient):
    """Opens the studio in this process; its jobs are processes of their own, as always."""

    def __init__(self, folder: Path, *roots: Path, **settings: Any) -> None:
        for name in ("runs", "state"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self.settings = Settings(
            Folders(roots or [folder]),
            state=folder / "state",
            runs=folder / "runs",
            car=folder / "car",
            **settings,
        )
        app = create_app(self.settings)
        super().__init__(app, base_url="http://127.0.0.1:8000", follow_redirects=False)

    def end(self) -> None:
        """End the jobs, which would go on after the test."""
        jobs = Jobs(Database(self.settings.state))
        for job in jobs.unfinished():
            jobs.change(job.number, state=STOPPED)
            if job.pid:
                os.killpg(job.pid, signal.SIGKILL)

    def page(self, path: str, *, status: int = 200) -> str:
        answer = self.get(path)
        assert answer.status_code == status, answer.text
        return answer.text

    def press(self, where: str, /, *, status: int = 303, **fields: str | int) -> str:
        """Send a form. Returns where it leads, or the page if it leads nowhere."""
        if CSRF not in self.cookies:
            self.page("/jobs")
        answer = self.post(where, data={FIELD: self.cookies[CSRF], **fields})
        assert answer.status_code == status, answer.text
        return answer.headers.get("location", answer.text)

    def wait(self, path: str, ready: Callable[[str], bool]) -> str:
        """Load a page again and again until it shows what is waited for."""
        deadline = time.monotonic() + PATIENCE_S
        while not ready(text := self.page(path)):
            assert time.monotonic() < deadline, text
            time.sleep(0.1)
        return text
