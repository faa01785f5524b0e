import sqlite3
from pathlib import Path

import numpy as np
import pytest
from rosbags.interfaces import QosDurability, QosReliability
from rosbags.rosbag1 import Writer as Ros1Writer
from rosbags.rosbag2 import StoragePlugin
from rosbags.typesys import Stores, get_typestore

from perception.errors import InputError
from perception.recordings.bag import BagReader, BagWriter
from perception.recordings.results import stored
from perception.recordings.shots import Shot
from perception.recordings.sources import open_source
from perception.topics import Qos
from tests.bags import (
    COMPRESSED,
    RAW,
    RECORDED_AFTER_NS,
    ROIS,
    compressed,
    damage,
    new,
    raw,
    rois,
    text,
    write_bag,
)
from tests.conftest import solid

PLUGINS = (StoragePlugin.MCAP, StoragePlugin.SQLITE3)


@pytest.mark.parametrize("storage", PLUGINS)
@pytest.mark.parametrize(("topic", "make"), [(RAW, raw), (COMPRESSED, compressed)])
def test_frames_of_both_storages_and_both_types(
    tmp_path: Path, storage: StoragePlugin, topic: str, make
) -> None:
    messages = [(topic, make(solid(color), stamp)) for stamp, color in enumerate(("Red", "Green", "Blue"))]
    bag = write_bag(tmp_path / "bag", [*messages, ("/chatter", text("hello"))], storage=storage)
    source = open_source(bag)
    assert (source.count, round(source.rate_hz)) == (3, 10)
    shots = list(source.shots())
    stamps = [100_000_000_000 + i * 100_000_000 for i in range(3)]
    assert [shot.stamp_ns for shot in shots] == stamps
    assert [shot.time_ns for shot in shots] == [stamp + RECORDED_AFTER_NS for stamp in stamps]
    assert {(shot.frame_id, shot.name) for shot in shots} == {("front", topic)}
    for shot, color in zip(shots, ("Red", "Green", "Blue")):
        assert shot.image is not None and shot.error is None and shot.boxes is None
        np.testing.assert_allclose(shot.image, solid(color), atol=3)


def test_the_frame_rate_is_that_of_the_images(tmp_path: Path) -> None:
    """Another topic goes on for longer, and the camera lost frames."""
    images = [(RAW, raw(solid("Red"), 0)) for _ in range(4)]
    long = write_bag(tmp_path / "bag", [*images, *[("/chatter", text("hello"))] * 90])
    assert open_source(long).rate_hz == pytest.approx(10.0)
    with BagWriter(tmp_path / "gaps") as bag:
        for second in (0, 1, 2, 9, 10):
            bag.write(RAW, raw(solid("Red"), 0), second * 10**9)
    assert open_source(tmp_path / "gaps").rate_hz == pytest.approx(1.0)


def test_a_bag_of_ros_1(tmp_path: Path) -> None:
    store = get_typestore(Stores.ROS1_NOETIC)
    kind = "sensor_msgs/msg/Image"
    with Ros1Writer(tmp_path / "old.bag") as bag:
        topic = bag.add_connection(RAW, kind, typestore=store)
        for second, color in ((3, "Red"), (4, "Green")):
            stamp = store.types["builtin_interfaces/msg/Time"](second, 5)
            header = store.types["std_msgs/msg/Header"](0, stamp, "front")
            frame = solid(color)
            image = store.types[kind](header, 40, 60, "bgr8", 0, 180, frame.reshape(-1))
            bag.write(topic, 9 * 10**9 + second, store.serialize_ros1(image, kind))
    shots = list(open_source(tmp_path / "old.bag").shots())
    assert [(shot.stamp_ns, shot.time_ns) for shot in shots] == [
        (3_000_000_005, 9_000_000_003),
        (4_000_000_005, 9_000_000_004),
    ]
    assert np.array_equal(shots[1].image, solid("Green"))


@pytest.mark.parametrize(("storage", "suffix"), [(PLUGINS[0], ".mcap"), (PLUGINS[1], ".db3")])
def test_a_storage_file_alone_and_a_folder_without_metadata(tmp_path: Path, storage, suffix: str) -> None:
    bag = write_bag(tmp_path / "bag", [(RAW, raw(solid("Red"), 0))], storage=storage)
    (file,) = bag.glob(f"*{suffix}")
    assert len(list(open_source(file).shots())) == 1
    (bag / "metadata.yaml").unlink()
    assert len(list(open_source(bag).shots())) == 1


def test_boxes_come_with_the_frame_of_their_stamp(tmp_path: Path) -> None:
    boxes = [(1.0, 2.0, 11.0, 22.0, ""), (5.0, 5.0, 9.0, 9.0, "")]
    messages = [(RAW, raw(solid("Red"), stamp)) for stamp in range(3)]
    late = [(ROIS, rois(boxes, 2)), (ROIS, rois(boxes[:1], 0))]
    first, second, third = open_source(write_bag(tmp_path / "bag", [*messages, *late])).shots()
    np.testing.assert_allclose(first.boxes, [[1, 2, 11, 22]])
    assert len(second.boxes) == 0
    np.testing.assert_allclose(third.boxes, [[1, 2, 11, 22], [5, 5, 9, 9]])


def test_boxes_of_equal_stamps_come_in_their_order(tmp_path: Path) -> None:
    """As the node pairs them; a driver may leave all stamps at zero."""
    one, other = [(1.0, 2.0, 11.0, 22.0, "")], [(5.0, 5.0, 9.0, 9.0, "")]
    messages = [*[(RAW, raw(solid("Red"), 0))] * 3, (ROIS, rois(one, 0)), (ROIS, rois(other, 0))]
    first, second, third = open_source(write_bag(tmp_path / "bag", messages)).shots()
    np.testing.assert_allclose(first.boxes, [[1, 2, 11, 22]])
    np.testing.assert_allclose(second.boxes, [[5, 5, 9, 9]])
    assert len(third.boxes) == 0


def test_boxes_of_several_cameras_need_a_choice(tmp_path: Path) -> None:
    front, rear = (ROIS, rois([(1.0, 2.0, 11.0, 22.0, "")], 0)), ("/rear/rois", rois([], 0))
    bag = write_bag(tmp_path / "bag", [(RAW, raw(solid("Red"), 0)), front, rear])
    with pytest.raises(InputError, match=f"choose with --rois: {ROIS} .*, /rear/rois"):
        open_source(bag)
    (shot,) = open_source(bag, rois="/rear/rois").shots()
    assert len(shot.boxes) == 0


def test_boxes_of_one_camera_are_not_cut_out_of_another_ones_frames(tmp_path: Path) -> None:
    cameras = [("/front/image_raw", raw(solid("Red"), 0)), ("/rear/image_raw", raw(solid("Blue"), 0))]
    bag = write_bag(tmp_path / "bag", [*cameras, ("/rear/rois", rois([(1.0, 2.0, 11.0, 22.0, "")], 0))])
    (shot,) = open_source(bag, topic="/rear/image_raw").shots()
    assert len(shot.boxes) == 1
    with pytest.raises(
        InputError, match=r"no boxes beside /front/image_raw; choose with --rois.*: /rear/rois"
    ):
        open_source(bag, topic="/front/image_raw")
    (shot,) = open_source(bag, topic="/front/image_raw", use_rois=False).shots()
    assert shot.boxes is None


def test_messages_that_a_crash_left_in_sqlites_log_are_reported(tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "bag", [(RAW, raw(solid("Red"), 0))], storage=StoragePlugin.SQLITE3)
    (file,) = bag.glob("*.db3")
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    with sqlite3.connect(file) as recording:
        recording.execute("PRAGMA journal_mode=WAL")
        recording.execute("INSERT INTO messages SELECT NULL, topic_id, timestamp + 1, data FROM messages")
        recording.commit()
        for part in bag.glob("*.db3*"):
            (crashed / part.name).write_bytes(part.read_bytes())
    with pytest.raises(InputError, match=r"its last messages are still in .*-wal; sqlite3 .*wal_checkpoint"):
        BagReader(crashed)
    with sqlite3.connect(crashed / file.name) as recording:
        recording.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert len(list(open_source(crashed).shots())) == 2


@pytest.mark.parametrize("name", ["front#1", "what?", "a%41", "größe "])
def test_a_path_that_a_uri_would_read_as_another(tmp_path: Path, name: str) -> None:
    bag = write_bag(tmp_path / "bag", [(RAW, raw(solid("Red"), 0))], storage=StoragePlugin.SQLITE3)
    assert len(list(open_source(bag.rename(tmp_path / name)).shots())) == 1


def test_a_stamp_beyond_the_clock_is_a_bad_frame(tmp_path: Path) -> None:
    late, good = raw(solid("Red"), 0), raw(solid("Red"), 1)
    late.header.stamp.sec, late.header.stamp.nanosec = 2**31 - 1, 2**32 - 1
    bad, fine = open_source(write_bag(tmp_path / "bag", [(RAW, late), (RAW, good)])).shots()
    assert bad.image is None and "stamp of 2147483651 s" in str(bad.error)
    assert fine.image is not None


def test_a_damaged_bag_gives_the_frames_before_the_damage_with_boxes_or_without(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    messages = [(RAW, raw(noise, stamp)) for stamp in range(30)]
    for name, boxes in (("plain", []), ("boxes", [(ROIS, rois([(1.0, 2.0, 9.0, 9.0, "")], 29))])):
        bag = write_bag(tmp_path / name, [*messages, *boxes])
        damage(bag)
        shots: list[Shot] = []
        with pytest.raises(InputError, match="damaged"):
            shots.extend(open_source(bag).shots())
        assert len(shots) > 10, name


def test_bad_frames_are_part_of_the_stream(tmp_path: Path) -> None:
    good = solid("Red")
    bad = [
        raw(good, 1, step=10),
        raw(good, 2, encoding="bgr9"),
        raw(good, 3, data=np.zeros(7, np.uint8)),
        raw(good, 4, height=0),
        raw(good, 5, encoding="32FC1"),
    ]
    shots = list(open_source(write_bag(tmp_path / "bag", [(RAW, m) for m in (raw(good, 0), *bad)])).shots())
    assert [shot.error.reason if shot.error else None for shot in shots] == [
        None, "step", "encoding", "data", "size", "depth",
    ]  # fmt: skip
    assert [shot.image is None for shot in shots] == [False] + 5 * [True]


def test_a_bag_without_images_lists_its_topics(tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "bag", [("/chatter", text("hello"))])
    with pytest.raises(InputError, match=r"no image topic .* it has /chatter \(std_msgs/msg/String\)"):
        open_source(bag)


def test_several_image_topics_need_a_choice(tmp_path: Path) -> None:
    frame = solid("Red")
    bag = write_bag(tmp_path / "bag", [(RAW, raw(frame, 0)), (COMPRESSED, compressed(frame, 0))])
    with pytest.raises(InputError, match=f"choose one with --topic: {RAW} .*, {COMPRESSED}"):
        open_source(bag)
    assert open_source(bag, topic=COMPRESSED).count == 1
    with pytest.raises(InputError, match=f"/other is not an image topic there; it has {RAW}"):
        open_source(bag, topic="/other")


@pytest.mark.parametrize("storage", PLUGINS)
def test_an_empty_bag(tmp_path: Path, storage: StoragePlugin) -> None:
    with pytest.raises(InputError, match="the bag is empty"):
        open_source(write_bag(tmp_path / "bag", [], storage=storage))


@pytest.mark.parametrize(
    "content", [b"", b"no bag at all", b"\x89MCAP0\r\n", b"SQLite format 3\x00" + bytes(80)]
)
@pytest.mark.parametrize("name", ["x.mcap", "x.db3"])
def test_a_file_that_is_no_bag(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=name):
        open_source(tmp_path / name)


@pytest.mark.parametrize("storage", PLUGINS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_bag_that_was_cut_short(tmp_path: Path, storage: StoragePlugin, share: float) -> None:
    messages = [(RAW, raw(solid("Red", 100, 100), stamp)) for stamp in range(20)]
    bag = write_bag(tmp_path / "bag", messages, storage=storage)
    (file,) = (path for path in bag.iterdir() if path.name != "metadata.yaml")
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * share)])
    with pytest.raises(InputError, match="bag"):
        list(open_source(bag).shots())


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    with BagWriter(tmp_path / "bag") as bag:
        bag.write("/a", text("one"), 10, qos=stored(Qos(depth=3, latched=True)))
        bag.write("/a", text("two"), 20)
        bag.write("/b", new("std_msgs/msg/Int32", 3), 15)
    assert (tmp_path / "bag" / "metadata.yaml").exists()
    with BagReader(tmp_path / "bag") as read:
        assert read.topics == {"/a": "std_msgs/msg/String", "/b": "std_msgs/msg/Int32"}
        assert [(topic, time, message.data) for topic, time, message in read.messages(["/a", "/b"])] == [
            ("/a", 10, "one"),
            ("/b", 15, 3),
            ("/a", 20, "two"),
        ]
        (offered,) = read.offered_qos("/a")
        assert (offered.depth, offered.durability) == (3, QosDurability.TRANSIENT_LOCAL)
        assert offered.reliability is QosReliability.RELIABLE


def test_an_existing_folder_is_not_overwritten(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="exists already"):
        BagWriter(tmp_path)


def test_the_shipped_bag() -> None:
    bag = Path(__file__).parents[2] / "demo" / "street"
    assert sum(file.stat().st_size for file in bag.iterdir()) <= 12 * 2**20
    shots = list(open_source(bag).shots())
    assert len(shots) >= 30
    assert all(shot.image is not None and shot.boxes is not None and len(shot.boxes) for shot in shots)


def test_quality_of_service_that_was_edited_in_the_metadata_hides_no_messages(tmp_path: Path) -> None:
    bag = tmp_path / "bag"
    with BagWriter(bag) as writer:
        for second in range(3):
            writer.write(RAW, raw(solid("Red"), 0), second * 10**9, qos=stored(Qos()))
    metadata = bag / "metadata.yaml"
    edited = metadata.read_text().replace("depth: 10", "depth: 5")
    assert edited != metadata.read_text()
    metadata.write_text(edited)
    assert len(list(open_source(bag).shots())) == 3
