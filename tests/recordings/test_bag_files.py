"""A bag is its storage files, whatever their names and whatever metadata.yaml says."""

import os
import re
from pathlib import Path

import pytest
import zstandard

from perception.errors import InputError
from perception.recordings.bag import BagReader, BagWriter, is_bag
from perception.recordings.sources import open_source
from tests.bags import RAW, ROIS, raw, rois, text, write_bag
from tests.conftest import solid
from tests.recordings.made import A, B, cdr, db3, lines, mcap, numbers, packed, read, ros1

SPLITS = [lines(range(0, 5)), lines(range(5, 10)), lines(range(10, 15))]
ALL = numbers([line for split in SPLITS for line in split])


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    """A bag of 5 messages with its metadata.yaml."""
    with BagWriter(tmp_path / "drive") as writer:
        for topic, time_ns, words in SPLITS[0]:
            writer.write(topic, text(words), time_ns)
    return tmp_path / "drive"


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def edit(bag: Path, old: str, new: str) -> None:
    path = bag / "metadata.yaml"
    content = path.read_text()
    assert re.search(old, content)
    path.write_text(re.sub(old, new, content))


def test_metadata_that_fits_is_not_mentioned(bag: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert read(bag) == ALL[:5]
    assert not caplog.records


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "it is empty"),
        ("# only a comment\n", "it is empty"),
        ("a: [1, 2", "it cannot be read"),
        ("rosbag2_bagfile_information:\n  version: 5\n", "it cannot be read"),
        ("- a list\n", "it cannot be read"),
        ("\x00\x00\x00", "it cannot be read"),
    ],
)
def test_metadata_that_is_no_metadata(
    bag: Path, content: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    (bag / "metadata.yaml").write_text(content)
    assert read(bag) == ALL[:5]
    (warning,) = warnings(caplog)
    assert warning.startswith(f"{bag}: metadata.yaml is passed over, because {words}")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("version: 8", "version: 10", "its version is 10, and 9 is the newest known one"),
        ("storage_identifier: mcap", "storage_identifier: ''", "its storage is ''"),
        ("count: 5\n  relative", "count: 4\n  relative", "it counts 4 messages, and the files hold 5"),
        ("- drive.mcap", "- x.mcap", "it does not list drive.mcap; it lists x.mcap, which is not there"),
        (r"relative_file_paths:\n  - drive.mcap", "relative_file_paths: []", "it does not list drive.mcap"),
    ],
)  # fmt: skip
def test_stale_metadata(bag: Path, old: str, new: str, words: str, caplog: pytest.LogCaptureFixture) -> None:
    edit(bag, old, new)
    assert read(bag) == ALL[:5]
    (warning,) = warnings(caplog)
    assert warning == f"{bag}: metadata.yaml is passed over, because {words}; all storage files are read"


def test_metadata_of_the_newest_version_and_of_old_paths_fits(
    bag: Path, caplog: pytest.LogCaptureFixture
) -> None:
    edit(bag, "version: 8", "version: 9")
    edit(bag, "- drive.mcap", "- drive/drive.mcap")  # as Foxy and before wrote
    assert read(bag) == ALL[:5]
    assert not caplog.records


def test_a_file_that_metadata_does_not_list_is_read_and_one_that_is_gone_is_named(
    bag: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mcap(bag / "drive_1.mcap", SPLITS[1])
    edit(bag, "  - drive.mcap", "  - drive.mcap\n  - drive_2.mcap")
    assert read(bag) == ALL[:10]
    (warning,) = warnings(caplog)
    assert "does not list drive_1.mcap; it lists drive_2.mcap, which is not there" in warning


def test_files_are_read_in_the_order_of_time(tmp_path: Path) -> None:
    for number, split in zip((2, 10, 0), SPLITS, strict=True):
        mcap(tmp_path / f"drive_{number}.mcap", split)
    assert read(tmp_path) == ALL
    both = tmp_path / "both"
    both.mkdir()
    mcap(both / "a.mcap", lines(range(0, 10, 2), A))
    db3(both / "b.db3", lines(range(1, 10, 2), B))
    assert [number for _, _, number in read(both)] == list(range(10))


def test_equal_times_keep_the_natural_order_of_the_files(tmp_path: Path) -> None:
    for number in (10, 2):
        mcap(tmp_path / f"drive_{number}.mcap", [(A, 100, f"{number}"), (A, 100, f"{number + 1}")])
    assert [number for _, _, number in read(tmp_path)] == [2, 3, 10, 11]


@pytest.mark.parametrize("name", ["DRIVE.MCAP", "drive.Mcap", "drive.mcap.ZSTD", "drive.mcap.zst"])
def test_suffixes_of_any_case_and_files_compressed_as_a_whole(tmp_path: Path, name: str) -> None:
    file = mcap(tmp_path / "x.mcap", SPLITS[0])
    if "z" in name.lower():
        file = packed(file)
    file.rename(tmp_path / name)
    assert is_bag(tmp_path / name) and is_bag(tmp_path)
    assert read(tmp_path / name) == read(tmp_path) == ALL[:5]


def test_a_file_is_read_by_what_is_in_it(tmp_path: Path) -> None:
    assert read(db3(tmp_path / "a.db3", SPLITS[0]).rename(tmp_path / "a.mcap")) == ALL[:5]
    assert read(ros1(tmp_path / "b.bag", SPLITS[0]).rename(tmp_path / "b.bag.active")) == ALL[:5]


@pytest.mark.parametrize("make", [mcap, db3])
def test_compressed_files_of_a_folder_without_metadata(tmp_path: Path, make) -> None:
    for number, split in enumerate(SPLITS):
        packed(make(tmp_path / f"drive_{number}.{make.__name__}", split))
    assert read(tmp_path) == ALL


def test_a_file_that_was_unpacked_beside_the_compressed_one_is_read_once(tmp_path: Path) -> None:
    target = packed(mcap(tmp_path / "drive.mcap", SPLITS[0]))
    (tmp_path / "drive.mcap").write_bytes(zstandard.decompress(target.read_bytes()))
    assert read(tmp_path) == ALL[:5]


def test_what_was_unpacked_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = packed(mcap(tmp_path / "drive.mcap", SPLITS[0]))
    room = tmp_path / "room"
    room.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(room))
    with BagReader(target):
        assert list(room.iterdir())
    assert not list(room.iterdir())


def test_messages_that_rosbag2_compressed_one_by_one(tmp_path: Path) -> None:
    file = db3(tmp_path / "drive.db3", SPLITS[0], compressed=True)
    assert read(file) == ALL[:5]
    with BagReader(file) as bag:  # as they are played
        assert [data for _, _, data in bag.raw([A])] == [cdr(words) for _, _, words in SPLITS[0]]


def test_a_compressed_message_that_is_damaged_is_never_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compress = zstandard.compress
    monkeypatch.setattr("tests.recordings.made.zstandard.compress", lambda data: compress(data)[:-3])
    file = db3(tmp_path / "drive.db3", SPLITS[0], compressed=True)
    with BagReader(file) as bag, pytest.raises(InputError, match=r"message on /a cannot be decompressed"):
        list(bag.raw([A]))


def test_hidden_files_and_folders_are_no_recordings(tmp_path: Path) -> None:
    mcap(tmp_path / "drive.mcap", SPLITS[0])
    (tmp_path / "._drive.mcap").write_bytes(b"\0\5\26\7")  # macOS puts its own data there
    (tmp_path / "old.mcap").mkdir()
    assert read(tmp_path) == ALL[:5]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 1\n", "'git lfs pull'"),
        (bytes(1000), "begins with zeros"),
        (b"\x89MCA", "cut short within its first bytes"),
        (b"PK\x03\x04 and so on", "neither an MCAP"),
        (b"\x89MCAP0\r\n", "the bag is empty|can be read"),
        (b"SQLite format 3\x00" + bytes(80), "sqlite3"),
        (b"#ROSBAG V1.2\n", "of version 1.2, and only 2.0 is read; 'rosbag fix'"),
        (b"#ROSBAG V2.0\n", "before the first message"),
    ],
)
@pytest.mark.parametrize("name", ["x.mcap", "x.db3", "x.bag", "x.db3.zstd"])
def test_a_file_that_is_no_bag_says_why(
    tmp_path: Path, name: str, content: bytes, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=f"^{tmp_path / name}: .*({words})"):
        BagReader(tmp_path / name)
    mcap(tmp_path / "good.mcap", SPLITS[0])  # and does not cost the other files
    assert read(tmp_path) == ALL[:5]
    (warning,) = warnings(caplog)
    assert name in warning


def test_a_link_that_leads_nowhere_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    mcap(tmp_path / "a.mcap", SPLITS[0])
    os.symlink(tmp_path / "annexed", tmp_path / "b.mcap")
    assert read(tmp_path) == ALL[:5]
    assert "b.mcap: cannot be read: No such file" in warnings(caplog)[0]


def test_folders_that_are_no_bag(tmp_path: Path) -> None:
    (tmp_path / "metadata.yaml").write_text("")
    with pytest.raises(InputError, match=r"no storage file \(.mcap, .db3, .bag\) in it"):
        BagReader(tmp_path)
    for name in ("run_10", "run_9"):
        (tmp_path / name).mkdir()
        mcap(tmp_path / name / "x.mcap", SPLITS[0])
    with pytest.raises(InputError, match="a folder of bags; give one of them: run_9, run_10"):
        BagReader(tmp_path)


def test_a_second_reader_may_be_quiet(bag: Path, caplog: pytest.LogCaptureFixture) -> None:
    (bag / "metadata.yaml").write_text("")
    BagReader(bag, quiet=True).close()
    assert not caplog.records


def test_one_warning_for_a_run_over_the_bag(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    messages = [(RAW, raw(solid("Red"), 0)), (ROIS, rois([], 0))]
    bag = write_bag(tmp_path / "bag", messages)
    (bag / "metadata.yaml").write_text("")
    assert len(list(open_source(bag).shots())) == 1
    assert len(caplog.records) == 1


def test_a_full_disk_names_the_bag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with BagWriter(tmp_path / "bag") as bag:
        bag.write(A, text("one"), 1)
        monkeypatch.setattr(bag._writer, "write", full)
        with pytest.raises(OSError, match=r"No space left on device: '.*/bag'"):
            bag.write(A, text("two"), 2)
