"""Recordings that broke off: what came before is read, and the file is named."""

import sqlite3
from pathlib import Path

import pytest
from rosbags.rosbag1 import Writer as Ros1Writer

from perception.errors import InputError
from perception.recordings.bag import BagReader
from tests.recordings.made import CHUNKS, A, B, cut, db3, lines, mcap, numbers, packed, read, ros1

LINES = [line for pair in zip(lines(range(40), A, size=400), lines(range(40), B, size=400)) for line in pair]
ALL = numbers(LINES)
LARGE = numbers(lines(range(80)))
ROS1_COMPRESSIONS = {
    "none": None,
    "bz2": Ros1Writer.CompressionFormat.BZ2,
    "lz4": Ros1Writer.CompressionFormat.LZ4,
}


def until_damage(bag: BagReader, topics: list[str], words: str) -> list[tuple[str, int, int]]:
    """What is read before the error."""
    found = []
    with pytest.raises(InputError, match=words):  # noqa: PT012
        for topic, time_ns, message in bag.messages(topics):
            found.append((topic, time_ns, int(message.data.split()[0])))
    return found


def before_damage(path: Path, words: str) -> list[tuple[str, int, int]]:
    """The same, after a comparison with what the bag announces."""
    with BagReader(path) as bag:
        found = until_damage(bag, [A, B], words)
        assert bag.end_ns == max(time for _, time, _ in found) + 1
        assert sum(bag.count(topic) for topic in bag.topics) == len(found)
        for topic in bag.topics:
            assert until_damage(bag, [topic], words) == [line for line in found if line[0] == topic]
    return found


@pytest.mark.parametrize("chunks", CHUNKS)
@pytest.mark.parametrize("share", [0.2, 0.5, 0.75])
def test_a_cut_mcap(tmp_path: Path, chunks: str, share: float) -> None:
    file = cut(mcap(tmp_path / "x.mcap", LINES, **CHUNKS[chunks]), share)
    found = before_damage(
        file, rf"{file}: cut short in the record at byte \d+ of \d+; \d+ messages can be read; "
    )
    assert found == ALL[: len(found)]
    # The index is a tenth of the file at most, and no more than one chunk cannot be unpacked.
    assert share * len(ALL) - 12 <= len(found) <= share * len(ALL) * 1.2 + 2


def test_of_a_chunk_that_is_cut_the_whole_messages_are_read(tmp_path: Path) -> None:
    one_chunk = {"chunk_size": 10**6, **CHUNKS["none"]}
    found = before_damage(cut(mcap(tmp_path / "x.mcap", LINES, **one_chunk), 0.5), "cut short")
    assert len(found) in range(38, 42) and found == ALL[: len(found)]


def test_a_cut_at_each_byte_of_the_last_message(tmp_path: Path) -> None:
    """A message is read if all of it is there, and never in part."""
    file = mcap(tmp_path / "x.mcap", lines(range(3)), use_chunking=False)
    data = file.read_bytes()
    last = data.rindex(b"2 \x00") + 3
    for end, expected in ((last, 3), (last + 1, 3), (last - 1, 2), (last - 20, 2), (last - 40, 2)):
        file.write_bytes(data[:end])
        found = []
        with BagReader(file) as bag, pytest.raises(InputError, match="cut short"):
            found.extend(message.data for _, _, message in bag.messages([A]))
        assert len(found) == expected, end


def test_an_mcap_that_is_cut_in_its_index_has_all_messages(tmp_path: Path) -> None:
    file = mcap(tmp_path / "x.mcap", LINES)
    for size in (1, 8, 30, 60):
        file.write_bytes(file.read_bytes()[:-size])
        assert read(file) == ALL


def test_an_mcap_that_ends_in_zeros(tmp_path: Path) -> None:
    file = cut(mcap(tmp_path / "x.mcap", LINES), 0.5)
    with file.open("ab") as end:
        end.write(bytes(3000))
    found = before_damage(file, "(cut short|damaged) in the record at byte")
    assert len(found) > 20 and found == ALL[: len(found)]


@pytest.mark.parametrize("has_index", [True, False])
def test_a_damaged_chunk_costs_no_other(tmp_path: Path, has_index: bool) -> None:
    file = mcap(tmp_path / "x.mcap", LINES, **CHUNKS["zstd"], use_statistics=has_index)
    data = bytearray(file.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 50] = b"\xff" * 50
    file.write_bytes(data)
    with BagReader(file) as bag:
        found = until_damage(bag, [A, B], r"damaged in the record at byte \d+")
    assert found[0] == ALL[0] and found[-1] == ALL[-1]
    assert len(ALL) - 30 <= len(found) < len(ALL) and set(found) < set(ALL)


@pytest.mark.parametrize("make", [mcap, db3])
def test_one_file_that_broke_off_does_not_cost_the_others(
    tmp_path: Path, make, caplog: pytest.LogCaptureFixture
) -> None:
    suffix = make.__name__
    content = lines(range(80), size=6000)
    for number in range(2):
        make(tmp_path / f"x_{number}.{suffix}", content[number * 20 : number * 20 + 20])
    cut(make(tmp_path / f"x_2.{suffix}", content[40:]), 0.6)
    found = read(tmp_path)
    assert found == LARGE[: len(found)] and 56 < len(found) < 70
    (warning,) = [record.getMessage() for record in caplog.records]
    assert f"x_2.{suffix}: cut short" in warning
    (tmp_path / f"x_1.{suffix}").unlink()
    assert read(tmp_path) == found[:20] + found[40:]


def test_damage_that_shows_while_reading_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mcap(tmp_path / "x_0.mcap", LINES[:40])
    file = mcap(tmp_path / "x_1.mcap", LINES[40:])
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 255
    file.write_bytes(data)
    with BagReader(tmp_path) as bag:
        assert bag.rate_hz(A) == pytest.approx(10)
        assert not caplog.records
        for _ in range(2):
            assert 40 < len(list(bag.raw([A, B]))) < 80
    (warning,) = [record.getMessage() for record in caplog.records]
    assert "x_1.mcap: damaged in the record at byte" in warning


@pytest.mark.parametrize("share", [0.4, 0.7, 0.9])
def test_a_cut_db3(tmp_path: Path, share: float) -> None:
    file = cut(db3(tmp_path / "x.db3", lines(range(80), size=6000)), share)
    found = before_damage(file, rf"{file}: cut short or damaged \(.*\); sqlite3's '.recover'")
    assert found == LARGE[: len(found)]
    assert (share - 0.1) * 80 <= len(found) <= share * 80 + 1


def test_a_db3_that_is_cut_within_a_message_gives_no_message_in_part(tmp_path: Path) -> None:
    content = lines(range(8), size=12_000)
    whole = {words for _, _, words in content}
    file = db3(tmp_path / "x.db3", content)
    data = file.read_bytes()
    counts = set()
    for end in range(len(data) - 30_000, len(data) - 2_000, 777):
        file.write_bytes(data[:end])
        read_of = []
        with BagReader(file) as bag, pytest.raises(InputError, match="cut short"):
            read_of.extend(message.data for _, _, message in bag.messages([A]))
        assert set(read_of) <= whole
        counts.add(len(read_of))
    assert len(counts) > 2


def test_a_db3_with_a_damaged_page(tmp_path: Path) -> None:
    file = db3(tmp_path / "x.db3", lines(range(80), size=6000))
    data = bytearray(file.read_bytes())
    middle = len(data) // 2 // 4096 * 4096
    data[middle : middle + 4096] = b"\xff" * 4096
    file.write_bytes(data)
    with BagReader(file) as bag:
        found = until_damage(bag, [A], f"{file}: .*(damaged|does not fit)")
    assert found == [line for line in LARGE if line in found] and len(found) > 30


def test_a_db3_of_another_program(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "x.db3") as database:
        database.execute("CREATE TABLE topics (id INTEGER)")
    with pytest.raises(InputError, match=r"x.db3: .*no table of messages"):
        BagReader(tmp_path / "x.db3")


@pytest.mark.parametrize("make", [mcap, db3])
def test_a_cut_file_that_was_compressed_as_a_whole(tmp_path: Path, make) -> None:
    file = packed(make(tmp_path / f"x.{make.__name__}", lines(range(80), size=16000)))
    cut(file, 0.7)
    found = before_damage(file, f"{file}: cut short")
    assert found == LARGE[: len(found)] and len(found) > 10
    cut(file, 0.01)
    with pytest.raises(InputError, match=f"{file}: cut short"):
        BagReader(file)


@pytest.mark.parametrize("compression", ROS1_COMPRESSIONS)
@pytest.mark.parametrize("share", [0.3, 0.8])
def test_a_cut_bag_of_ros_1(tmp_path: Path, compression: str, share: float) -> None:
    file = cut(ros1(tmp_path / "x.bag", LINES, ROS1_COMPRESSIONS[compression]), share)
    found = before_damage(file, rf"{file}: cut short before its index .*; 'rosbag reindex'")
    assert found == ALL[: len(found)]
    assert share * len(ALL) - 18 <= len(found) <= share * len(ALL) * 1.3


def test_a_cut_bag_of_ros_1_whose_last_chunk_is_not_compressed_is_read_to_the_last_message(
    tmp_path: Path,
) -> None:
    file = ros1(tmp_path / "x.bag.active", LINES)
    data = file.read_bytes()
    end = data.index(b"25 ")  # of /a, so that 50 messages are whole
    file.write_bytes(data[:end])
    assert before_damage(file, "50 messages can be read") == ALL[:50]


def test_of_several_files_that_cannot_be_read_the_first_is_named(tmp_path: Path) -> None:
    for name in ("x_0.mcap", "x_1.mcap", "x_10.mcap"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(InputError, match=r"x_0.mcap: .* is empty.*; nor can 2 other files be read"):
        BagReader(tmp_path)
