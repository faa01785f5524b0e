"""StandbyEngine: the CPU answers while another process builds an engine, which can take minutes.

    opened ─► CPU ──────────────────────────────────► GPU
              └─ perception build, a process ─► open ─┘

It is another process, so that a build that crashes, or needs all memory, does not take the caller along.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perception.engines.contract import Engine
from perception.errors import NotBuiltError, PerceptionError
from perception.processes import tied_to_parent

STOP_S = 1.0  # how long a build may take to end when asked to, before it is killed

_log = logging.getLogger(__name__)


class StandbyEngine:
    """Answers from the CPU's engine until another one is built.

    Args:
        path: the model file.
        cpu: the CPU's engine of it, which is closed with this one.
        opened: opens the engine once it is built.
        otherwise: opens the fastest engine of other devices if that fails; None if it has to be the CPU's.

    Attributes:
        problem: why the CPU answers for good; empty if it does not.
    """

    def __init__(
        self,
        path: Path,
        cpu: Engine,
        *,
        opened: Callable[[], Engine],
        otherwise: Callable[[], Engine | None] | None = None,
    ) -> None:
        self.spec = cpu.spec
        self.problem = ""
        self._path = path
        self._cpu = self._engine = cpu
        self._opened = opened
        self._otherwise = otherwise
        self._lock = threading.Lock()  # an engine is not closed while it runs
        self._is_closed = False
        self._began_at = time.monotonic()
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self._stop)
        self._thread = threading.Thread(target=self._follow, name="build", daemon=True)
        self._thread.start()

    @property
    def device(self) -> str:
        """Where it runs now."""
        return self._engine.device

    @property
    def building_s(self) -> float | None:
        """For how many seconds an engine is being built; None if none is."""
        is_building = self._engine is self._cpu and self._thread.is_alive()
        return time.monotonic() - self._began_at if is_building else None

    def infer(self, frames: NDArray[np.uint8]) -> Mapping[str, NDArray[Any]]:
        """See ``Engine.infer``."""
        with self._lock:
            return self._engine.infer(frames)

    def close(self) -> None:
        """Stop building, and free the memory of the engine that answers."""
        with self._lock:
            self._is_closed = True
            self._engine.close()
        self._stop()

    def _follow(self) -> None:
        """Wait for the process, then change engines; the build's own thread."""
        try:
            self._build()
            if self._is_closed:
                return
            engine: Engine | None = self._opened()
        except Exception as error:  # a thread has nobody to raise to
            if self._is_closed:
                return
            self.problem = f"{error}"
            _log.warning("%s: the CPU goes on: %s", self._path, error)
            engine = self._next()
        if engine is not None:
            self._change_to(engine)

    def _build(self) -> None:
        """Run the process to its end, from this thread: Linux ends it with the thread that started it."""
        with self._lock:
            if self._is_closed:
                return
            # Its own session, so that Ctrl-C in a terminal reaches it only by way of ``close``.
            self._process = subprocess.Popen(
                [*tied_to_parent(), sys.executable, "-m", "perception", "build", str(self._path)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        _, output = self._process.communicate()
        if code := self._process.returncode:
            lines = output.decode(errors="replace").strip().splitlines()
            said = lines[-1] if lines else f"perception build ended with {code}, without a word"
            raise NotBuiltError(f"no engine could be built: {said.removeprefix('perception: ')}")

    def _next(self) -> Engine | None:
        try:
            return self._otherwise() if self._otherwise else None
        except PerceptionError as error:
            _log.warning("%s", error)
            return None

    def _change_to(self, engine: Engine) -> None:
        with self._lock:
            before, self._engine = self._engine, engine
            is_closed = self._is_closed
        (engine if is_closed else before).close()
        if not is_closed:
            self.problem = ""
            _log.warning("%s: runs on %s from now on", self._path, engine.device)

    def _stop(self) -> None:
        """End the process, at once if it is asked in vain."""
        atexit.unregister(self._stop)
        process = self._process
        if process is None or process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
