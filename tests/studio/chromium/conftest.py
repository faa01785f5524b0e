"""The studio as its users have it: a process of its own, and Chromium in front of it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from studio.database import Database
from studio.jobs import STOPPED, Jobs
from tests.ros import ROOT
from tests.studio.conftest import write_signs

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE_S = 180.0  # a training starts within, on a busy machine
expect.set_options(timeout=PATIENCE_S * 1000)
OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]


class Served:
    """A studio in a process of its own."""

    def __init__(self, folder: Path, data: Path) -> None:
        self._folder, self._data = folder, data
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self._port}"
        self.runs = folder / "runs"
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        named = {"--runs": self.runs, "--state": self._folder / "state", "--car": self._folder / "car"}
        options = [f"{name}={path}" for name, path in named.items()]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "studio", str(self._data), *options, f"--port={self._port}"], cwd=ROOT
        )
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                urlopen(f"{self.address}/jobs").close()
                return
            except OSError:
                assert time.monotonic() < end and self._process.poll() is None, "the studio does not start"
                time.sleep(0.2)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        """End it, and the jobs that would go on."""
        self.kill()
        jobs = Jobs(Database(self._folder / "state"))
        for job in jobs.unfinished():
            jobs.change(job.number, state=STOPPED)
            if job.pid:
                os.killpg(job.pid, signal.SIGKILL)


@pytest.fixture(scope="session")
def own_signs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of signs of ten pictures each."""
    return write_signs(tmp_path_factory.mktemp("data") / "my signs")


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory, own_signs: Path) -> Iterator[Served]:
    """A studio that may read a folder with one data set."""
    studio = Served(tmp_path_factory.mktemp("studio"), own_signs.parent)
    yield studio
    studio.end()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("there is no Chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser, served: Served) -> Iterator[Page]:
    """A tab that has the studio's first page, and that fails if a page breaks or asks another machine."""
    with chromium.new_context() as context:
        page = context.new_page()
        page.set_default_timeout(PATIENCE_S * 1000)
        broken: list[str] = []
        page.on("pageerror", lambda error: broken.append(str(error)))
        page.on("request", lambda request: broken.append(request.url) if _is_elsewhere(request.url) else None)
        page.on("console", lambda message: broken.append(message.text) if "Policy" in message.text else None)
        page.goto(served.address)
        yield page
    assert not broken, broken


def _is_elsewhere(url: str) -> bool:
    return urlsplit(url).scheme.startswith("http") and urlsplit(url).hostname != "127.0.0.1"
