"""Cluster: Ray, started on this machine or found at an address, and how it is shared out among workers."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from perception.engines.threads import cores
from perception.errors import PerceptionError

STORE_BYTES = 80 * 2**20  # rows are small; frames never go through Ray
ANSWER_S = 10.0  # that a cluster has to answer
STARTS = 3  # that are tried, because Ray waits 30 s for its own processes, which is short on a busy machine


@dataclass(frozen=True)
class Share:
    """What each worker gets.

    Attributes:
        workers: how many there are.
        cpus: cores that Ray keeps for each, which may be parts of one.
        gpus: GPUs that Ray keeps for each.
    """

    workers: int
    cpus: float
    gpus: float

    @property
    def threads(self) -> int:
        """Threads of a worker."""
        return max(1, int(self.cpus))


@contextmanager
def started(address: str | None, *, cpus: int | None = None) -> Iterator[Any]:
    """Ray, for as long as it is needed; one that this process has started already is used and stays.

    Nothing is sent to Ray's makers, and no dashboard is served.

    Args:
        address: of a cluster; None starts one on this machine, which ends with the command.
        cpus: cores of this machine that it uses; None: all.

    Raises:
        PerceptionError: Ray is not installed, or no cluster answers.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"  # or a call after the end may join somebody else's cluster
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # as a warning of Ray asks for
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what nobody can act on
    os.environ.setdefault("RAY_worker_niceness", "0")  # workers are the command itself, and Ray's own is 15
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise PerceptionError(
            f"--ray needs Ray ({error}): run \"pip install -e '.[fleet]'\" where this package came from"
        ) from error
    if address is not None:
        _require_answer(address)
    if ray.is_initialized():
        yield ray
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        _start(ray, address, cpus or cores())
    finally:
        signal.signal(signal.SIGTERM, before)  # Ray sets its own
    try:
        yield ray
    finally:
        ray.shutdown()


def _require_answer(address: str) -> None:
    """Ray itself would wait for minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER_S).close()
    except (OSError, ValueError) as error:
        raise PerceptionError(
            f"--address {address}: nothing answers there ({error}); give HOST:PORT of 'ray start --head'"
        ) from error


def _start(ray: Any, address: str | None, cpus: int) -> None:
    local = {"num_cpus": cpus, "include_dashboard": False, "object_store_memory": STORE_BYTES}
    left = 1 if address else STARTS
    while True:
        left -= 1
        try:
            with _silent():
                own = {} if address else local
                ray.init(address or "local", log_to_driver=False, logging_level=logging.ERROR, **own)
            return
        except Exception as error:  # of many kinds
            ray.shutdown()
            if left:
                continue
            reason = next(iter(str(error).splitlines()), "") or type(error).__name__
            if address is None:
                raise PerceptionError(f"Ray does not start: {reason}") from error
            raise PerceptionError(
                f"--address {address}: cannot be used: {reason}; if it asks for a token, set "
                "RAY_AUTH_MODE=token and have its ~/.ray/auth_token here"
            ) from error


@contextmanager
def _silent() -> Iterator[None]:
    """Within it, nothing is written to stderr, also not by C++, which Ray's own options do not silence."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def share(ray: Any, workers: int | None, *, device: str) -> Share:
    """Share the cluster out.

    Args:
        ray: the module.
        workers: how many; None: one for each GPU, or one for each core where none is used.
        device: where the models run, as on the command line.

    Raises:
        PerceptionError: the cluster has no core.
    """
    has = ray.cluster_resources()
    cpus, gpus = int(has.get("CPU", 0)), int(has.get("GPU", 0)) if device != "cpu" else 0
    if not cpus:
        raise PerceptionError("the cluster has no processor core for a worker; add a machine to it")
    count = workers or gpus or cpus
    if count > cpus:
        return Share(count, cpus / count, gpus / count)
    # A worker is on one machine, so it gets no more than the smallest has.
    smallest = min(int(node["Resources"]["CPU"]) for node in ray.nodes() if node["Resources"].get("CPU"))
    return Share(count, float(max(1, min(cpus // count, smallest))), min(1.0, gpus / count))
