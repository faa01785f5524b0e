"""Pieces of MCAP files: where messages are, and which pieces need not be read to come to a later message."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from mcap.records import ChunkIndex

_LIST = struct.Struct("<BQHI")  # a record that lists a channel's messages in a chunk, up to its first entry
_ENTRY = 16  # bytes


@dataclass(frozen=True)
class Piece:
    """A chunk, or a run of messages outside of chunks: where it is, and when it begins.

    Attributes:
        start_ns: time of its first message.
        begin: its first byte.
        end: the first byte behind it.
        last_ns: time of its last message.
        counts: how many messages of each channel are in it; None if that is not known.
        is_chunk: whether it is a chunk.
    """

    start_ns: int
    begin: int
    end: int
    last_ns: int = 0
    counts: Mapping[int, int] | None = None
    is_chunk: bool = True


def messages_in(chunk: ChunkIndex) -> dict[int, int]:
    """How many messages of each channel a chunk has, by the lengths of their lists behind it."""
    lists = sorted((begin, channel_id) for channel_id, begin in chunk.message_index_offsets.items())
    last = chunk.chunk_start_offset + chunk.chunk_length + chunk.message_index_length
    ends = [*(begin for begin, _ in lists), last][1:]
    return {
        channel_id: (end - begin - _LIST.size) // _ENTRY
        for (begin, channel_id), end in zip(lists, ends, strict=True)
    }


def passed_over(pieces: Sequence[Piece], totals: Mapping[int, int], skip: int) -> tuple[set[int], int]:
    """The pieces that hold none but the first messages of some channels.

    Args:
        pieces: all that hold messages of these channels.
        totals: how many messages each channel has in the file.
        skip: how many messages are the first ones.

    Returns:
        Where these pieces begin, and how many messages of the channels they hold.
    """
    over: set[int] = set()
    done = 0
    listed = {key: sum((piece.counts or {}).get(key, 0) for piece in pieces) for key in totals}
    if listed != dict(totals):  # the index does not say what is where, or is wrong
        return over, done
    for piece, following in pairwise(sorted(pieces, key=lambda piece: (piece.start_ns, piece.begin))):
        count = sum((piece.counts or {}).get(key, 0) for key in totals)
        # Where the clock was set back, the messages of several pieces alternate.
        is_before = (piece.last_ns, piece.begin) < (following.start_ns, following.begin)
        if not is_before or done + count > skip:
            break
        over.add(piece.begin)
        done += count
    return over, done
