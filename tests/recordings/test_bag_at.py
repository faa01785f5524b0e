"""One message by its place: the one that reading all of them gives, and without those before it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from mcap.writer import IndexType

from perception.errors import InputError
from perception.recordings.bag import BagReader
from tests.recordings.made import CHUNKS, A, B, Line, cut, db3, lines, mcap, ros1

COUNT = 12
MIXED = sorted(lines(range(COUNT), A, size=900) + lines(range(COUNT), B, size=900), key=lambda line: line[1])
SET_BACK = [*lines(range(6, COUNT), A, size=1500), *lines(range(6), A, size=1500), *lines(range(9), B)]
AT_ONCE: list[Line] = [(A, 100, f"{number} {'x' * 1500}") for number in range(COUNT)]

MAKE: dict[str, Callable[[Path], Path]] = {
    **{
        name: lambda folder, options=options: mcap(folder / "x.mcap", MIXED, **options)
        for name, options in CHUNKS.items()
    },
    "no index": lambda folder: mcap(folder / "x.mcap", MIXED, index_types=IndexType.NONE),
    "chunks alone are listed": lambda folder: mcap(folder / "x.mcap", MIXED, index_types=IndexType.CHUNK),
    "clock set back": lambda folder: mcap(folder / "x.mcap", SET_BACK),
    "all at once": lambda folder: mcap(folder / "x.mcap", AT_ONCE),
    "db3": lambda folder: db3(folder / "x.db3", MIXED),
    "ros 1": lambda folder: ros1(folder / "x.bag", MIXED),
}


@pytest.mark.parametrize("kind", MAKE)
def test_each_place_has_the_message_that_reading_all_gives(tmp_path: Path, kind: str) -> None:
    with BagReader(MAKE[kind](tmp_path)) as bag:
        every = [message.data for _, _, message in bag.messages([A])]
        assert len(every) == COUNT
        found = [bag.at(A, place) for place in range(COUNT)]
        assert [message and message.data for message in found] == every
        assert bag.at(A, COUNT) is None and bag.at("/nothing", 0) is None


def test_places_go_on_from_file_to_file(tmp_path: Path) -> None:
    mcap(tmp_path / "1.mcap", lines(range(5)))
    db3(tmp_path / "2.db3", lines(range(5, 9)))
    with BagReader(tmp_path) as bag:
        assert [bag.at(A, place).data.split()[0] for place in range(9)] == [str(n) for n in range(9)]


@pytest.mark.parametrize("make", [mcap, ros1])
def test_of_a_cut_bag_what_is_there_has_its_place(tmp_path: Path, make: Callable[..., Path]) -> None:
    path = cut(make(tmp_path / f"x.{make.__name__}", MIXED), 0.7)
    with BagReader(path) as bag:
        last = bag.count(A) - 1
        assert 3 < last < COUNT - 1
        assert bag.at(A, last).data.split()[0] == str(last) and bag.at(A, last + 1) is None


def test_what_comes_before_is_not_read(tmp_path: Path) -> None:
    path = mcap(tmp_path / "x.mcap", MIXED)
    data = bytearray(path.read_bytes())
    data[500:900] = bytes(400)  # in the first chunk
    path.write_bytes(data)
    with BagReader(path) as bag:
        assert bag.at(A, COUNT - 1).data.split()[0] == str(COUNT - 1)
        with pytest.raises(InputError, match="damaged"):
            list(bag.messages([A]))
