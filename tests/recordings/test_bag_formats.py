"""MCAPs as other programs write them, and messages of other distributions."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest
from mcap.writer import IndexType
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from perception.errors import InputError
from perception.recordings.bag import BagReader, typestore
from perception.recordings.sources import open_source
from tests.bags import RAW, ROIS, header, raw, rois, write_bag
from tests.conftest import solid
from tests.recordings.made import CHUNKS, KIND, A, B, cdr, lines, mcap, numbers, read

LINES = lines(range(6), A, size=900) + lines(range(6), B, size=900)
ALL = sorted(numbers(LINES), key=lambda line: line[1])


@pytest.mark.parametrize("profile", ["", "ros2", "ros1", "my_robot"])
@pytest.mark.parametrize("chunks", CHUNKS)
def test_an_mcap_of_any_profile(tmp_path: Path, profile: str, chunks: str) -> None:
    order = ALL if chunks != "loose" else numbers(LINES)  # messages outside of chunks keep their order
    assert read(mcap(tmp_path / "x.mcap", LINES, profile=profile, **CHUNKS[chunks])) == order


@pytest.mark.parametrize(
    "left_out",
    [
        {"use_statistics": False},
        {"index_types": IndexType.NONE},
        {"index_types": IndexType.CHUNK},
        {"repeat_channels": False},
        {"repeat_schemas": False},
        {"use_summary_offsets": False},
        {"enable_crcs": False},
        {"use_statistics": False, "index_types": IndexType.NONE, "repeat_channels": False},
    ],
)
def test_an_mcap_with_parts_of_its_index_missing(tmp_path: Path, left_out: dict) -> None:
    assert read(mcap(tmp_path / "x.mcap", LINES, **left_out)) == ALL


def test_an_mcap_with_messages_of_ros_1(tmp_path: Path) -> None:
    file = mcap(tmp_path / "x.mcap", LINES, profile="ros1", encoding="ros1", schema="ros1msg")
    assert read(file) == ALL
    with BagReader(file) as bag:
        assert not bag.is_cdr
        assert bag.topics == {A: KIND, B: KIND}


def test_messages_that_are_not_of_ros_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    mcap(tmp_path / "a.mcap", lines(range(3), A))
    mcap(tmp_path / "b.mcap", lines(range(3), B), encoding="protobuf")
    with BagReader(tmp_path) as bag:
        assert (bag.topics, bag.count(B)) == ({A: KIND}, 0)
        assert len(list(bag.raw([A, B]))) == 3
    (record,) = caplog.records
    assert f"{B} ({KIND}, protobuf)" in record.getMessage()
    with pytest.raises(InputError, match=r"no message is ROS', which are CDR; it has /b .*protobuf"):
        BagReader(tmp_path / "b.mcap")


def test_an_mcap_without_definitions_has_those_of_jazzy(tmp_path: Path) -> None:
    assert read(mcap(tmp_path / "x.mcap", LINES, schema="")) == ALL


def test_a_definition_that_cannot_be_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = mcap(tmp_path / "x.mcap", LINES)
    broken = file.read_bytes().replace(b"string data", b"string ~~~~")
    file.write_bytes(broken)
    assert read(file) == ALL
    (record,) = caplog.records
    assert f"the definition of {KIND} cannot be read" in record.getMessage()


def test_messages_of_a_chunk_come_by_time(tmp_path: Path) -> None:
    late = [(A, 300, "3"), (A, 100, "1"), (B, 200, "2")]
    assert read(mcap(tmp_path / "x.mcap", late)) == [(A, 100, 1), (B, 200, 2), (A, 300, 3)]


def test_an_index_that_promises_too_much(tmp_path: Path) -> None:
    file = mcap(tmp_path / "x.mcap", lines(range(3)), chunk_size=10**6)
    three, four = (number.to_bytes(8, "little") for number in (3, 4))
    data = file.read_bytes()
    begin = data.rindex(b"\x0b" + (46 + 10).to_bytes(8, "little"))  # the statistics with one channel
    statistics = data[begin : begin + 65]
    assert statistics.count(three) == 2
    file.write_bytes(data[:begin] + statistics.replace(three, four) + data[begin + 65 :])
    with BagReader(file) as bag:
        assert bag.count(A) == 4
        with pytest.raises(InputError, match="its index lists messages that are not in it: 1 on /a"):
            list(bag.raw([A]))


def test_an_older_definition_that_the_bag_carries_is_used(tmp_path: Path) -> None:
    """vision_msgs 3 (Galactic) had a plain geometry_msgs/Pose2D as centre."""
    store = get_typestore(Stores.ROS2_GALACTIC)
    name = "vision_msgs/msg/Detection2DArray"
    store.register(
        get_types_from_msg("std_msgs/Header header\nvision_msgs/Detection2D[] detections\n", name)
        | get_types_from_msg(
            "std_msgs/Header header\nvision_msgs/BoundingBox2D bbox\n", "vision_msgs/msg/Detection2D"
        )
        | get_types_from_msg(
            "geometry_msgs/Pose2D center\nfloat64 size_x\nfloat64 size_y\n", "vision_msgs/msg/BoundingBox2D"
        )
    )
    types = store.types
    box = types["vision_msgs/msg/BoundingBox2D"](types["geometry_msgs/msg/Pose2D"](6.0, 7.0, 0.0), 4.0, 2.0)
    boxes = types[name](header(0), [types["vision_msgs/msg/Detection2D"](header(0), box)])
    image = raw(solid("Red"), 0)
    with Writer(tmp_path / "old", version=8, storage_plugin=StoragePlugin.MCAP) as bag:
        connection = bag.add_connection(RAW, image.__msgtype__, typestore=typestore())
        bag.write(connection, 1, typestore().serialize_cdr(image, image.__msgtype__))
        bag.write(bag.add_connection(ROIS, name, typestore=store), 1, store.serialize_cdr(boxes, name))
    (shot,) = open_source(tmp_path / "old").shots()
    np.testing.assert_allclose(shot.boxes, [[4, 6, 8, 8]])


def test_a_definition_of_an_unknown_kind(tmp_path: Path) -> None:
    """rosbag2 leaves the encoding empty where it has no .msg file."""
    bag = write_bag(tmp_path / "bag", [(RAW, raw(solid("Red"), 0))], storage=StoragePlugin.SQLITE3)
    (file,) = bag.glob("*.db3")
    with sqlite3.connect(file) as database:
        database.execute("UPDATE message_definitions SET encoding = 'unknown'")
    database.close()
    (shot,) = open_source(bag).shots()
    assert np.array_equal(shot.image, solid("Red"))


@pytest.mark.parametrize("tail", ["", "sensor_msgs/Image source_img\nbool is_tracking\nstring tracking_id\n"])
def test_boxes_of_distributions_before_humble_without_definitions(
    tmp_path: Path, tail: str, caplog: pytest.LogCaptureFixture
) -> None:
    bag = write_bag(
        tmp_path / "bag", [(RAW, raw(solid("Red"), 0)), (ROIS, rois([], 0))], storage=StoragePlugin.SQLITE3
    )
    (file,) = bag.glob("*.db3")
    with sqlite3.connect(file) as database:
        database.execute("DROP TABLE message_definitions")
        database.execute("UPDATE messages SET data = ? WHERE topic_id = 2", (_old_boxes(tail),))
    database.close()
    (shot,) = open_source(bag).shots()
    np.testing.assert_allclose(shot.boxes, [[4, 6, 8, 8]])
    (record,) = caplog.records
    assert f"{ROIS} has the messages of vision_msgs {2 if tail else 3}" in record.getMessage()


def _old_boxes(tail: str) -> bytes:
    store = get_typestore(Stores.ROS2_GALACTIC)
    head = "std_msgs/Header header\nvision_msgs/Hypothesis[] results\nvision_msgs/BoundingBox2D bbox\n"
    texts = {
        "Detection2DArray": "std_msgs/Header header\nvision_msgs/Detection2D[] detections\n",
        "Detection2D": head + tail,
        "Hypothesis": "string id\n",
        "BoundingBox2D": "geometry_msgs/Pose2D center\nfloat64 size_x\nfloat64 size_y\n",
    }
    types = {}
    for name, content in texts.items():
        types.update(get_types_from_msg(content, f"vision_msgs/msg/{name}"))
    store.register(types)
    made = store.types
    header = made["std_msgs/msg/Header"](made["builtin_interfaces/msg/Time"](100, 0), "front")
    image = made["sensor_msgs/msg/Image"](header, 0, 0, "", 0, 0, np.zeros(0, np.uint8))
    box = made["vision_msgs/msg/BoundingBox2D"](made["geometry_msgs/msg/Pose2D"](6.0, 7.0, 0.0), 4.0, 2.0)
    own = made["vision_msgs/msg/Detection2D"](header, [], box, *((image, False, "7") if tail else ()))
    kind = "vision_msgs/msg/Detection2DArray"
    return bytes(store.serialize_cdr(made[kind](header, [own]), kind))


def test_a_message_that_fits_no_definition(tmp_path: Path) -> None:
    file = mcap(tmp_path / "x.mcap", lines([0]), schema="", use_chunking=False)
    good = cdr(lines([0])[0][2])
    data = file.read_bytes()
    assert good in data
    file.write_bytes(data.replace(good, good[:4] + b"\xff" * (len(good) - 4)))
    with (
        BagReader(file) as bag,
        pytest.raises(InputError, match=r"does not fit .*'ros2 bag convert' to MCAP"),
    ):
        list(bag.messages([A]))
