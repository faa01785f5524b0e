"""Tape: serialized messages into one MCAP file, by a thread, so that a busy disk holds no subscription up.

The file has a temporary name until it is whole: drive.part/ becomes drive.mcap.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Literal

from rosbags.interfaces import Qos

from perception.errors import InputError
from perception.recordings.bag import BagWriter, typestore

Ended = Literal["signal", "time", "size", "disk"]

SUFFIX = ".mcap"
_BACKLOG_BYTES = 256 * 1024 * 1024  # about three seconds of 1280x720 at 30 Hz


@dataclass
class Tally:
    """What came on one topic.

    Attributes:
        kind: type of the messages.
        count: messages that are written.
        size_bytes: their size before compression.
        first_ns: when the first of them was received; 0 if there is none.
        last_ns: when the last one was.
        dropped: messages that were not written, because too many others were waiting for the disk.
        unreadable: messages that were not written, because their bytes do not fit their type.
    """

    kind: str
    count: int = 0
    size_bytes: int = 0
    first_ns: int = 0
    last_ns: int = 0
    dropped: int = 0
    unreadable: int = 0

    @property
    def rate_hz(self) -> float:
        """Messages per second; 0 for less than two."""
        seconds = (self.last_ns - self.first_ns) / 1e9
        return (self.count - 1) / seconds if seconds > 0 else 0.0


@dataclass(frozen=True)
class Recorded:
    """What was recorded.

    Attributes:
        path: the file.
        size_bytes: of the file.
        ended: what ended it.
        tallies: topic → what came on it; a topic without messages is in ``lost`` alone.
        lost: topic → messages that DDS lost on the way; None where that is unknown.
    """

    path: Path
    size_bytes: int
    ended: Ended
    tallies: Mapping[str, Tally]
    lost: Mapping[str, int | None]


@dataclass(frozen=True)
class _Item:
    topic: str
    data: bytes
    time_ns: int
    qos: Sequence[Qos]


class Tape:
    """A new MCAP file; use it with ``with``.

    Args:
        path: the file to make; its name ends in .mcap.
        limit_bytes: the file's size at which it is full; it grows by up to a MiB more, and its index.
        backlog_bytes: messages of this size may wait to be written; more are dropped.

    Attributes:
        tallies: topic → what came on it.
        is_full: the limit is reached, and nothing more is written.
        problem: why it cannot be written any more, such as a full disk; None while it can.

    Raises:
        InputError: the name is another kind of file's, the file exists, or it cannot be made.
    """

    def __init__(
        self, path: Path, *, limit_bytes: int | None = None, backlog_bytes: int = _BACKLOG_BYTES
    ) -> None:
        if path.suffix != SUFFIX:
            raise InputError(f"{path}: a recording is an MCAP file; give a name that ends in {SUFFIX}")
        if path.exists():
            raise InputError(f"{path} exists already; remove it or write elsewhere")
        self.path, self.part = path, path.with_suffix(".part")
        if self.part.exists():
            raise InputError(
                f"{self.part}: left by a recording that was cut off; 'perception run' reads what is in it; "
                "rename or remove it, or write elsewhere"
            )
        self.tallies: dict[str, Tally] = {}
        self.is_full = False
        self.problem: OSError | None = None
        self._limit_bytes, self._backlog_bytes = limit_bytes, backlog_bytes
        self._waiting_bytes = 0
        self._lock = threading.Lock()
        self._items: SimpleQueue[_Item | None] = SimpleQueue()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._bag = BagWriter(self.part)
        self._thread = threading.Thread(target=self._work, name="tape", daemon=True)
        self._thread.start()

    def put(self, topic: str, kind: str, data: bytes, time_ns: int, qos: Sequence[Qos] = ()) -> None:
        """Have a message written; never waits.

        Args:
            topic: its name.
            kind: its type.
            data: CDR.
            time_ns: when it was received, ns since the epoch.
            qos: what the topic's publisher offers, taken from the first message.
        """
        with self._lock:
            tally = self.tallies.setdefault(topic, Tally(kind))
            if self._waiting_bytes + len(data) > self._backlog_bytes:
                tally.dropped += 1
                return
            self._waiting_bytes += len(data)
        self._items.put(_Item(topic, data, time_ns, qos))

    @property
    def size_bytes(self) -> int:
        """Size of the file so far."""
        if self.path.exists():
            return self.path.stat().st_size
        return self._bag.size_bytes

    def close(self) -> None:
        """Write what waits, and give the file its name; without one message, no file is left.

        Raises:
            OSError: it could not be written; what could is in ``part``.
        """
        if not self._thread.is_alive():
            return
        self._items.put(None)
        self._thread.join()
        is_empty = not any(tally.count for tally in self.tallies.values())
        with suppress(OSError) if self.problem or is_empty else nullcontext():
            self._bag.close()
        if self.problem:
            raise self.problem
        if not is_empty:
            (file,) = self.part.glob(f"*{SUFFIX}")
            with file.open("rb") as written:  # a car's power may be switched off at once
                os.fsync(written.fileno())
            file.replace(self.path)
        shutil.rmtree(self.part)

    def __enter__(self) -> Tape:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _work(self) -> None:
        while (item := self._items.get()) is not None:
            if not self.is_full and self.problem is None:
                try:
                    self._write(item)
                except OSError as error:
                    self.problem = error
            with self._lock:
                self._waiting_bytes -= len(item.data)

    def _write(self, item: _Item) -> None:
        tally = self.tallies[item.topic]
        try:
            typestore().deserialize_cdr(item.data, tally.kind)
        except Exception:  # any bytes may come
            tally.unreadable += 1
            return
        self._bag.write_raw(item.topic, tally.kind, item.data, item.time_ns, qos=item.qos)
        tally.count += 1
        tally.size_bytes += len(item.data)
        tally.first_ns = tally.first_ns or item.time_ns
        tally.last_ns = item.time_ns
        if self._limit_bytes is not None and self._bag.size_bytes >= self._limit_bytes:
            self.is_full = True
