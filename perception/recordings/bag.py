"""Bags: recordings of rosbag2 and of ROS 1, read and written without ROS.

The storage files are what a recording is: all that a folder holds are read, each by what is in it, and
merged by time. metadata.yaml is not needed.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, suppress
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from rosbags.interfaces import Qos

from perception.errors import InputError
from perception.recordings.definitions import Definitions, typestore
from perception.recordings.older import older_message
from perception.recordings.storage import files, metadata
from perception.recordings.storage.channel import CDR, ROS1, Channel, Record, StorageFile
from perception.recordings.storage.compressed import as_sent
from perception.recordings.storage.merge import merged
from perception.recordings.writer import BagWriter

__all__ = ["BagReader", "BagWriter", "is_bag", "typestore"]

_RATE_MESSAGES = 100
_logger = logging.getLogger(__name__)


def is_bag(path: Path) -> bool:
    """Whether a path is a bag by its name: a storage file, or a folder that holds some."""
    if path.is_dir():
        return (path / metadata.NAME).exists() or bool(files.discover(path))
    return files.is_storage(path)


class BagReader:
    """A bag opened for reading; use it with ``with``.

    Args:
        path: a folder with storage files, or one such file: ``.mcap``, ``.db3``, a ROS 1 ``.bag``, or one of
            these compressed by rosbag2 (``.mcap.zstd``).
        quiet: do not log what opening it passes over, because another reader of the same bag has.

    Raises:
        InputError: the bag does not exist, nothing in it can be read, or it is empty.
    """

    def __init__(self, path: str | Path, *, quiet: bool = False) -> None:
        self.path = Path(path)
        self._warned: set[str] = set()
        self._quiet = quiet
        if not self.path.exists():
            raise InputError(f"{self.path}: no such bag")
        self._stack = ExitStack()
        try:
            self._files = self._open()
            self._channels = self._usable([channel for file in self._files for channel in file.channels])
            self._definitions = Definitions(self._channels, lambda text: self._warn(f"{self.path}: {text}"))
        except BaseException:
            self.close()
            raise
        self._quiet = False

    @property
    def end_ns(self) -> int:
        """When the last message was recorded, ns since the epoch."""
        return max(file.end_ns for file in self._files)

    @property
    def topics(self) -> dict[str, str]:
        """Topic → message type, for the topics that hold messages."""
        return {channel.topic: channel.kind for channel in self._channels if channel.count}

    @property
    def is_cdr(self) -> bool:
        """Whether the messages are CDR, as DDS sends them; those of ROS 1 are not."""
        return all(channel.encoding == CDR for channel in self._channels)

    def count(self, topic: str) -> int:
        """Number of messages on a topic."""
        return sum(channel.count for channel in self._channels if channel.topic == topic)

    def rate_hz(self, topic: str) -> float:
        """Messages per second, by the median interval of a topic's first ones; 1.0 if it has fewer than two.

        The bag's duration is not used, because other topics may have been recorded for longer.
        """
        times: list[int] = []
        with suppress(InputError):  # reading all messages reports the damage
            records = self._records([topic], log=False)
            times += (record.time_ns for record in islice(records, _RATE_MESSAGES))
        gaps = np.diff(times)
        return float(1e9 / np.median(gaps[gaps > 0])) if (gaps > 0).any() else 1.0

    def offered_qos(self, topic: str) -> Sequence[Qos]:
        """The QoS that the recorded publishers offered; empty where the bag does not say."""
        return [qos for channel in self._channels if channel.topic == topic for qos in channel.qos]

    def raw(self, topics: Collection[str]) -> Iterator[tuple[str, int, bytes]]:
        """The topics' messages in recorded order: (topic, time of recording in ns, serialized message).

        Raises:
            InputError: the bag is one file, and is damaged; all that can be read came before. Of several
                files, the damaged one is logged, and the others are read.
        """
        for channel, time_ns, data in self._records(topics):
            yield channel.topic, time_ns, data

    def messages(self, topics: Collection[str]) -> Iterator[tuple[str, int, Any]]:
        """The same, with each message as an object that has ROS' attributes.

        Raises:
            InputError: as ``raw``, or at the end if messages that do not fit their type were left out.
        """
        misfit = ""
        for channel, time_ns, data in self._records(topics):
            try:
                message = self._message(channel, data)
            except InputError as error:  # it need not cost the others
                misfit = misfit or str(error)
                continue
            yield channel.topic, time_ns, message
        if misfit:
            raise InputError(misfit)

    def at(self, topic: str, place: int) -> Any | None:
        """One message of a topic, by its place in recorded order; None if there are not so many.

        In a bag of one whole file, those before it are passed over by the file's index, and not read.

        Args:
            topic: its name.
            place: from 0 on.

        Raises:
            InputError: it does not fit its type, or the file is damaged before it.
        """
        if place >= self.count(topic):
            return None
        record = next(self._records([topic], skip=place), None)
        return None if record is None else self._message(record.channel, record.data)

    def close(self) -> None:
        """Close the files, and remove what they were unpacked to."""
        self._stack.close()

    def __enter__(self) -> BagReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> list[StorageFile]:
        """Open all files that can be read."""
        if not self.path.is_dir():
            found = [self.path]
        elif not (found := files.discover(self.path)):
            raise InputError(files.nothing_in(self.path))
        opened, problems = [], []
        for path in found:
            try:
                opened.append(files.open_storage(path, self._stack))
            except InputError as error:
                problems.append(str(error))
        if not opened:
            more = f"; nor can {len(problems) - 1} other files be read" if len(problems) > 1 else ""
            raise InputError(problems[0] + more)
        if not any(channel.count for file in opened for channel in file.channels):
            damage = next((file.damage for file in opened if file.damage), "")
            reason = "the bag is empty; was the recording stopped before the first message?"
            raise InputError(damage or f"{self.path}: {reason}")
        if self.path.is_dir() and (reason := metadata.misfit(self.path, found, opened)):
            self._warn(
                f"{self.path}: {metadata.NAME} is passed over, because {reason}; all storage files are read"
            )
        for problem in problems:
            self._warn(f"passed over: {problem}")
        self._is_one = len(found) == 1
        if not self._is_one:
            for file in opened:
                self._warn(file.damage)
        return opened

    def _usable(self, channels: list[Channel]) -> list[Channel]:
        """The channels that hold ROS' messages; a topic has one type and one encoding."""
        known = [channel for channel in channels if channel.encoding in (CDR, ROS1)]
        encoding = CDR if any(channel.encoding == CDR for channel in known) else ROS1
        kinds = {channel.topic: channel.kind for channel in reversed(known) if channel.encoding == encoding}
        usable = [c for c in known if c.encoding == encoding and c.kind == kinds[c.topic]]
        left = {
            f"{c.topic} ({c.kind}, {c.encoding or 'of no encoding'})"
            for c in channels
            if c.count and c not in usable
        }
        if not any(channel.count for channel in usable):
            raise InputError(
                f"{self.path}: no message is ROS', which are CDR; it has {', '.join(sorted(left))}"
            )
        if left:
            self._warn(
                f"{self.path}: passed over, because a bag has one encoding ({encoding}) and a topic one "
                f"type: {', '.join(sorted(left))}"
            )
        return usable

    def _records(self, topics: Collection[str], *, log: bool = True, skip: int = 0) -> Iterator[Record]:
        """The topics' messages in recorded order, but for the first ``skip``."""
        own = {channel.topic for channel in self._channels} & set(topics)
        damages: list[str] = []
        inside = skip if self._has_one_order(own) else 0
        streams = (
            (file.start_ns, self._stream(file, own, damages, log=log, skip=inside)) for file in self._files
        )
        if own:
            yield from islice(merged(streams), skip - inside, None)
        if damages and self._is_one:
            raise InputError(damages[0])

    def _has_one_order(self, topics: Collection[str]) -> bool:
        """Whether the places of these topics' messages are those in one file."""
        of_topics = [channel for file in self._files for channel in file.channels if channel.topic in topics]
        return len(self._files) == 1 and all(channel in self._channels for channel in of_topics)

    def _stream(
        self,
        file: StorageFile,
        topics: Collection[str],
        damages: list[str],
        *,
        log: bool,
        skip: int = 0,
    ) -> Iterator[Record]:
        """One file's messages; where it is damaged, that is noted, and the others go on."""
        usable = set(map(id, self._channels))
        missing: Counter[str] = Counter()
        for channel in file.channels:
            if id(channel) in usable and channel.topic in topics:
                missing[channel.topic] += channel.count
        damage = ""
        try:
            for record in file.records(topics, skip=skip):
                if id(record.channel) in usable:
                    plain = as_sent(file.path, record)
                    missing[record.channel.topic] -= 1
                    yield plain
        except InputError as error:
            damage = str(error)
        except Exception as error:  # broken bytes make the parsers raise nearly anything
            damage = f"{file.path}: damaged, read in part only ({_reason(error)}); copy it again if you can"
        if not damage and (lost := +missing):
            listed = ", ".join(f"{count} on {topic}" for topic, count in lost.items())
            damage = f"{file.path}: its index lists messages that are not in it: {listed}"
        if damage:
            damages.append(damage)
            if log and not self._is_one:
                self._warn(damage)

    def _message(self, channel: Channel, data: bytes) -> Any:
        try:
            return self._definitions.deserialize(data, channel)
        except Exception as error:  # any bytes may be in place of a message
            if not channel.definition.data and (older := older_message(data, channel.kind)):
                message, name = older
                self._warn(f"{self.path}: {channel.topic} has the messages of {name}, and is read as such")
                return message
            raise InputError(self._misfit(channel, error)) from error

    def _misfit(self, channel: Channel, error: Exception) -> str:
        what = f"{self.path}: a message on {channel.topic} does not fit {channel.kind}: {_reason(error)}"
        if channel.definition.data:
            return what
        return (
            f"{what}; the bag has no definition of it, and it was recorded with another one than Jazzy's: "
            "'ros2 bag convert' to MCAP, where it was recorded, adds the definitions"
        )

    def _warn(self, text: str) -> None:
        if text and text not in self._warned:
            self._warned.add(text)
            if not self._quiet:
                _logger.warning("%s", text)


def _reason(error: Exception) -> str:
    """The first line of an error, or its class if it has no text."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__
