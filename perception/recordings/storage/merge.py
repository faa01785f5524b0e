"""Merge: several streams of messages into one, by time."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Iterator

from perception.recordings.storage.channel import Record


def merged(streams: Iterable[tuple[int, Iterator[Record]]]) -> Iterator[Record]:
    """Merge streams, each begun no earlier than it is needed, so that few are in memory at once.

    Args:
        streams: (time of the first message in ns, messages by time), in the order that equal times keep.
    """
    waiting = deque(sorted(enumerate(streams), key=lambda item: (item[1][0], item[0])))
    heads: list[tuple[int, int, Record, Iterator[Record]]] = []

    def push(order: int, stream: Iterator[Record]) -> None:
        if (record := next(stream, None)) is not None:
            heapq.heappush(heads, (record.time_ns, order, record, stream))

    while waiting or heads:
        while waiting and (not heads or waiting[0][1][0] <= heads[0][0]):
            order, (_, stream) = waiting.popleft()
            push(order, stream)
        if heads:
            _, order, record, stream = heapq.heappop(heads)
            yield record
            push(order, stream)
