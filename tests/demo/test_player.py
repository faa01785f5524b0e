"""Playing bags over real DDS: the player is a process, the subscriber is this one."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosbags.interfaces import QosDurability
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import String
from vision_msgs.msg import Detection2DArray, LabelInfo

from perception import frames
from perception.demo.outlet import Outlet
from perception.demo.player import play as play_bag
from perception.demo.player import publisher_qos
from perception.errors import InputError
from perception.recordings.bag import BagReader, BagWriter
from perception.recordings.results import stored
from perception.topics import Qos
from tests.bags import COMPRESSED, RAW, ROIS, compressed, header, new, raw, rois, text, write_bag
from tests.recordings.made import CHUNKS, A, cut, lines, mcap
from tests.ros import GREEN, RED, ROOT, Peer, end, solid

RELIABLE = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)
Play = Callable[..., subprocess.Popen]


@pytest.fixture
def play() -> Iterator[Play]:
    started: list[subprocess.Popen] = []

    def play(*arguments: object) -> subprocess.Popen:
        command = [sys.executable, "-m", "perception", "play", *map(str, arguments)]
        started.append(subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield play
    for process in started:
        end(process, signal.SIGINT)


def end_of(process: subprocess.Popen, peer: Peer) -> str:
    """Wait for the end, listening; give what it printed."""
    peer.until(lambda: process.poll() is not None, "the player's end")
    peer.spin(0.3)
    return process.communicate()[1]


def test_all_messages_arrive_as_they_were_recorded(tmp_path: Path, peer: Peer, play: Play) -> None:
    red = solid(RED)
    messages = [(RAW, raw(red, i)) for i in range(5)] + [(COMPRESSED, compressed(red, i)) for i in range(5)]
    boxes = [(ROIS, rois([(1.0, 2.0, 5.0, 6.0, "14")], i)) for i in range(5)]
    images = peer.collect(Image, RAW, RELIABLE)
    jpegs = peer.collect(CompressedImage, COMPRESSED, RELIABLE)
    arrays = peer.collect(Detection2DArray, ROIS, RELIABLE)
    player = play(write_bag(tmp_path / "bag", [*messages, *boxes]), "--wait", "10")
    end_of(player, peer)
    assert player.returncode == 0
    assert (len(images), len(jpegs), len(arrays)) == (5, 5, 5)
    stamps = [(m.header.stamp.sec, m.header.stamp.nanosec) for m in images]
    assert stamps == [(100, i * 100_000_000) for i in range(5)]
    assert (frames.from_image(images[0]) == red).all() and images[0].header.frame_id == "front"
    assert arrays[4].detections[0].results[0].hypothesis.class_id == "14"


def test_of_a_cut_bag_all_that_can_be_read_arrives(tmp_path: Path, peer: Peer, play: Play) -> None:
    content = lines(range(40), size=2000)
    path = cut(mcap(tmp_path / "cut.mcap", content, **CHUNKS["loose"]), 0.7)
    with BagReader(path) as bag:
        readable = bag.count(A)
    assert 10 < readable < 40
    texts = peer.collect(String, A, RELIABLE)
    player = play(path, "--wait", "10", "--rate", "20")
    printed = end_of(player, peer)
    assert player.returncode == 1 and "cut short" in printed
    assert len(texts) == readable


def test_before_the_end_of_a_cut_bag_acknowledgements_are_awaited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine the last messages would be lost with the process."""
    awaited: list[list[str]] = []
    monkeypatch.setattr(
        "perception.demo.player._wait_for_acknowledgements", lambda outlets: awaited.append([*outlets])
    )
    content = lines(range(40), size=2000)
    path = cut(mcap(tmp_path / "cut.mcap", content, **CHUNKS["loose"]), 0.7)
    with pytest.raises(InputError, match="cut short"):
        play_bag(path, rate=20.0, wait_s=0.1)
    assert awaited == [[A]]


def test_rate_topics_and_clock(tmp_path: Path, peer: Peer, play: Play) -> None:
    with BagWriter(tmp_path / "bag") as bag:
        for second in (100, 101):
            for topic in (RAW, "/b"):
                bag.write(topic, raw(solid(RED), 0), second * 1_000_000_000)
    arrivals: list[float] = []
    peer.node.create_subscription(Image, RAW, lambda _: arrivals.append(time.monotonic()), RELIABLE)
    others = peer.collect(Image, "/b", RELIABLE)
    ticks: list[tuple[float, float]] = []

    def tick(message: Clock) -> None:
        ticks.append((time.monotonic(), message.clock.sec + message.clock.nanosec / 1e9))

    peer.node.create_subscription(Clock, "/clock", tick, RELIABLE)
    end_of(play(tmp_path / "bag", "--rate", "0.5", "--topics", RAW, "--clock", "--wait", "10"), peer)
    assert len(arrivals) == 2 and not others
    assert arrivals[-1] - arrivals[0] > 1.5  # one second of recording takes two; never faster
    (begin, first), (_, last) = ticks[0], ticks[-1]
    assert (first, last) == pytest.approx((100.0, 101.0))
    assert all(tick - first <= 0.5 * (now - begin) + 0.2 for now, tick in ticks)  # nor does the clock


def test_the_recorded_qos_is_offered_again(tmp_path: Path, peer: Peer, play: Play) -> None:
    with BagWriter(tmp_path / "bag") as bag:
        names = [new("vision_msgs/msg/VisionClass", 0, "Road")]
        info = new("vision_msgs/msg/LabelInfo", header(0), names, 0.0)
        bag.write("/label_info", info, 0, qos=stored(Qos(depth=1, latched=True)))
        bag.write(RAW, raw(solid(RED), 0), 0, qos=stored(Qos(reliable=False)))
        bag.write(RAW, raw(solid(RED), 600), 60_000_000_000)
    play(tmp_path / "bag", "--wait", "0.1")
    peer.until(lambda: peer.node.count_publishers("/label_info"), "the player")
    peer.spin(0.5)
    late = QoSProfile(
        depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
    )
    infos = peer.collect(LabelInfo, "/label_info", late)  # after it was published
    assert peer.until(lambda: infos, "the label info")[0].class_map[0].class_name == "Road"
    (offered,) = peer.node.get_publishers_info_by_topic(RAW)
    assert offered.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT


def test_clock_and_loop_until_ctrl_c(tmp_path: Path, peer: Peer, play: Play) -> None:
    bag = write_bag(tmp_path / "bag", [(RAW, raw(solid(GREEN), i)) for i in range(4)])
    images = peer.collect(Image, RAW, RELIABLE)
    clocks = peer.collect(Clock, "/clock", RELIABLE)
    player = play(bag, "--loop", "--clock", "--wait", "10")
    peer.until(lambda: len(images) > 8, "the third round")
    player.send_signal(signal.SIGINT)
    printed = end_of(player, peer)
    assert player.returncode == 130 and "Traceback" not in printed
    times = [message.clock.sec + message.clock.nanosec / 1e9 for message in clocks]
    assert times and min(times) >= 100.0 and max(times) <= 100.31
    assert times[0] < times[1]


def test_a_loop_keeps_its_pace_from_end_to_begin(tmp_path: Path, peer: Peer, play: Play) -> None:
    """One picture, once a second; without the pause, thousands."""
    bag = write_bag(tmp_path / "bag", [(RAW, raw(solid(RED), 0))])
    images = peer.collect(Image, RAW, RELIABLE)
    play(bag, "--loop", "--rate", "10", "--wait", "10")
    peer.until(lambda: images, "an image")
    peer.spin(1.0)
    assert 2 <= len(images) <= 15


def test_the_clock_is_the_players_and_begins_with_the_first_message(
    tmp_path: Path, peer: Peer, play: Play
) -> None:
    # A simulator's bag: /clock counts from 42 s, and is not the time of recording.
    simulated = new("rosgraph_msgs/msg/Clock", new("builtin_interfaces/msg/Time", 42, 0))
    bag = write_bag(tmp_path / "bag", [(RAW, raw(solid(GREEN), 0)), ("/clock", simulated)])
    images = peer.collect(Image, RAW, RELIABLE)
    clocks = peer.collect(Clock, "/clock", RELIABLE)
    end_of(play(bag, "--clock", "--wait", "10"), peer)
    assert len(images) == 1
    assert [message.clock.sec for message in clocks] == [100]


def test_a_type_that_is_not_installed_is_left_out(tmp_path: Path, peer: Peer, play: Play) -> None:
    store = get_typestore(Stores.ROS2_JAZZY)
    store.register(get_types_from_msg("int32 x", "of_a_team/msg/Secret"))
    with Writer(tmp_path / "bag", version=8, storage_plugin=StoragePlugin.MCAP) as bag:
        for topic, kind in (("/secret", "of_a_team/msg/Secret"), ("/chatter", "std_msgs/msg/String")):
            message = store.types[kind]("hello" if topic == "/chatter" else 1)
            bag.write(bag.add_connection(topic, kind, typestore=store), 1, store.serialize_cdr(message, kind))
    chatter = peer.collect(String, "/chatter", RELIABLE)
    printed = end_of(play(tmp_path / "bag", "--wait", "10"), peer)
    assert [message.data for message in chatter] == ["hello"]
    assert "not installed: /secret (of_a_team/msg/Secret)" in printed


def test_a_name_that_ros_2_does_not_allow_is_left_out(tmp_path: Path, peer: Peer, play: Play) -> None:
    bag = write_bag(tmp_path / "bag", [("/cam-1/state", text("on")), ("/chatter", text("hello"))])
    chatter = peer.collect(String, "/chatter", RELIABLE)
    printed = end_of(play(bag, "--wait", "10"), peer)
    assert [message.data for message in chatter] == ["hello"]
    assert "ROS 2 allows no such name: /cam-1/state" in printed


def test_ros_that_cannot_start_is_reported(
    tmp_path: Path, play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", "mine")
    player = play(write_bag(tmp_path / "bag", [("/chatter", text("hello"))]))
    printed = player.communicate(timeout=20)[1]
    assert player.returncode == 1
    assert "perception: ROS 2 cannot start: " in printed and "Traceback" not in printed


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--topics", "/none"], "no /none; it has /chatter"), ([], "cannot be read as a bag")],
)
def test_errors_are_one_line(tmp_path: Path, play: Play, arguments: list, words: str) -> None:
    bag = write_bag(tmp_path / "bag", [("/chatter", text("hello"))])
    if not arguments:
        (bag / "bag.mcap").write_bytes(b"broken")
    player = play(bag, *arguments)
    printed = player.communicate(timeout=20)[1]
    assert player.returncode == 1
    assert printed.count("\n") == 1 and words in printed


def four_frames(path: Path) -> Path:
    return write_bag(path, [(RAW, raw(solid(RED), i)) for i in range(4)])


@pytest.mark.parametrize("reliability", [ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT])
def test_a_subscriber_that_discovery_finds_late_gets_all(
    tmp_path: Path, peer: Peer, play: Play, reliability: ReliabilityPolicy
) -> None:
    """On a busy machine discovery takes seconds; here it cannot begin earlier."""
    player = play(four_frames(tmp_path / "bag"))
    peer.until(lambda: peer.node.count_publishers(RAW), "the player")
    peer.spin(2.5)
    images = peer.collect(Image, RAW, QoSProfile(depth=10, reliability=reliability))
    printed = end_of(player, peer)
    assert [message.header.stamp.nanosec for message in images] == [i * 100_000_000 for i in range(4)]
    assert "waiting for a subscriber, 10 s at most" in printed and "acknowledged" not in printed


def test_without_a_subscriber_the_bag_is_played_all_the_same(tmp_path: Path, play: Play) -> None:
    player = play(four_frames(tmp_path / "bag"), "--wait", "0.2")
    assert "no subscriber after 0.2 s" in player.communicate(timeout=20)[1]
    assert player.returncode == 0


def test_messages_that_a_reliable_subscriber_does_not_acknowledge_are_counted() -> None:
    publisher = Mock(spec=Publisher)
    publisher.wait_for_all_acked.return_value = True
    outlet = Outlet(publisher, depth=2)
    for _ in range(3):
        outlet.publish(b"")
    assert outlet.acknowledged(0.0) and outlet.unacknowledged == 0
    publisher.wait_for_all_acked.side_effect = lambda timeout: False
    for _ in range(2):
        outlet.publish(b"")
    assert (outlet.missed, outlet.unacknowledged) == (0, 2)
    outlet.acknowledged = lambda patience_s: False  # as if the time were over
    for _ in range(3):
        outlet.publish(b"")
    assert (outlet.missed, outlet.unacknowledged) == (3, 5)
    assert publisher.publish.call_count == 8


def test_a_message_waits_before_it_pushes_out_one_that_may_be_sent_again() -> None:
    publisher = Mock(spec=Publisher)
    answers = iter([False, False, False, True])
    publisher.wait_for_all_acked.side_effect = lambda timeout: next(answers)
    outlet = Outlet(publisher, depth=2)
    for _ in range(3):
        outlet.publish(b"")
    assert (outlet.missed, outlet.unacknowledged) == (0, 1)


def test_a_busy_topic_has_a_history_of_half_a_second() -> None:
    assert publisher_qos([], 10.0).depth == 10
    assert publisher_qos([], 200.0).depth == 100
    latched = Mock(depth=1, durability=QosDurability.TRANSIENT_LOCAL)
    assert publisher_qos([latched], 200.0).depth == 1


@pytest.fixture
def set_clock(tmp_path: Path) -> Path:
    """Two frames of 1970, and two of 2026."""
    with BagWriter(tmp_path / "bag") as bag:
        for number, second in enumerate((100.0, 100.1, 1_790_000_000.0, 1_790_000_000.1)):
            bag.write(RAW, raw(solid(RED), number), round(second * 1e9))
    return tmp_path / "bag"


def test_a_jump_of_the_clock_is_named_and_skipped(set_clock: Path, peer: Peer, play: Play) -> None:
    images = peer.collect(Image, RAW, RELIABLE)
    clocks = peer.collect(Clock, "/clock", RELIABLE)
    printed = end_of(play(set_clock, "--clock"), peer)
    assert len(images) == 4
    assert printed.count("jumps by 56.72 years, from 1970-01-01 00:01:40 to 2026-09-21 14:13:20") == 1
    assert {100, 1_790_000_000} <= {message.clock.sec for message in clocks}


def test_a_jump_of_the_clock_is_named_before_it_is_waited_for(
    set_clock: Path, peer: Peer, play: Play
) -> None:
    images = peer.collect(Image, RAW, RELIABLE)
    player = play(set_clock, "--jumps", "wait")
    peer.until(lambda: len(images) == 2, "the frames before the jump")
    peer.spin(1.0)
    player.send_signal(signal.SIGINT)
    assert "jumps by 56.72 years" in end_of(player, peer) and len(images) == 2
