from collections.abc import Sequence

import pytest

from perception.doctor.finding import Finding
from perception.doctor.topics import Arrival, Offer, Seen, Surroundings, findings
from tests.doctor.machines import named

NOW_NS = 1_800_000_000 * 10**9
UP_NS = 5_000 * 10**9
KIND = "sensor_msgs/msg/Image"
CAMERA = "/cam/image_raw"
RELIABLE, BEST_EFFORT = Offer("driver", KIND, True), Offer("driver", KIND, False)


def arrivals(
    *numbers: int, ages_s: Sequence[float] = (0.01,), period_s: float = 0.1, size_bytes: int = 50_000
) -> tuple[Arrival, ...]:
    """Messages of these numbers, each received when it was sent; ages take turns."""
    received = [NOW_NS + round(number * period_s * 1e9) for number in numbers]
    ages = [round(ages_s[index % len(ages_s)] * 1e9) for index in range(len(numbers))]
    return tuple(
        Arrival(at, at - age, size_bytes, number)
        for at, age, number in zip(received, ages, numbers, strict=True)
    )


def stamped(*stamps_ns: int) -> tuple[Arrival, ...]:
    return tuple(Arrival(NOW_NS + i * 10**8, stamp, 50_000, i) for i, stamp in enumerate(stamps_ns))


def judged(
    came: tuple[Arrival, ...] = (),
    *offers: Offer,
    size_hw: tuple[int, int] | None = (480, 640),
    problem: str = "",
    has_clock: bool = False,
) -> list[Finding]:
    seen = Seen(CAMERA, offers or (RELIABLE,), came, 3.0, size_hw, "bgr8", problem)
    return findings([seen], Surroundings(has_clock=has_clock, up_ns=UP_NS))


def test_a_good_camera() -> None:
    found = judged(arrivals(*range(5, 35)))
    assert [finding.name for finding in found] == [
        f"{CAMERA} {what}" for what in ("QoS", "rate", "frame", "lost", "stamps")
    ]
    assert {finding.level for finding in found} == {"ok"}
    assert named(found, f"{CAMERA} rate").values == {"rate_hz": 10.0, "longest_gap_ms": 100.0}
    assert named(found, f"{CAMERA} frame").found == "640×480 bgr8, 50 kB"
    assert named(found, f"{CAMERA} stamps").values == {"age_s": 0.01}
    assert "offers reliable, volatile; the nodes ask for reliable" in named(found, f"{CAMERA} QoS").found


@pytest.mark.parametrize(
    ("what", "came", "level", "part"),
    [
        ("rate", (), "error", "no message in 3.0 s"),
        ("rate", arrivals(1), "warning", "one message"),
        ("rate", arrivals(*range(6), period_s=0.3), "warning", "3.3 Hz"),
        ("lost", arrivals(1, 2, 5, 6), "warning", "2 of 6 frames"),
        ("lost", arrivals(1), "unknown", "cannot be counted"),
        ("stamps", stamped(0, 0, 0), "warning", "0 in every frame"),
        ("stamps", stamped(NOW_NS, NOW_NS), "error", "the same in every frame"),
        ("stamps", stamped(NOW_NS, NOW_NS - 10**9, NOW_NS + 10**8), "warning", "before 1 times"),
        ("stamps", stamped(UP_NS - 10**8, UP_NS), "error", "from this machine's start"),
        ("stamps", arrivals(1, 2, ages_s=[7200.0]), "error", "of another clock, 2.0 hours old"),
        ("stamps", arrivals(1, 2, ages_s=[-172_800.0]), "error", "2.0 days in the future"),
        ("stamps", arrivals(1, 2, ages_s=[-0.2]), "error", "200 ms in the future"),
        ("stamps", arrivals(1, 2, ages_s=[-0.02]), "ok", "-20.0 ms old"),
        ("stamps", arrivals(1, 2, ages_s=[0.5]), "warning", "500 ms old"),
        ("stamps", arrivals(1, 2, 3, ages_s=[0.01, 0.01, 0.05]), "ok", "10.0 ms old"),
    ],
)
def test_what_is_wrong_with_messages(what: str, came: tuple[Arrival, ...], level: str, part: str) -> None:
    found = judged(came)
    finding = named(found, f"{CAMERA} {what}")
    assert finding.level == level and part in finding.found


def test_stamps_of_a_bag_are_no_error_where_its_clock_is_published() -> None:
    finding = named(judged(arrivals(1, 2, ages_s=[7200.0]), has_clock=True), f"{CAMERA} stamps")
    assert finding.level == "warning" and "use_sim_time" in finding.remedy


def test_large_frames_that_are_lost_best_effort() -> None:
    large = arrivals(1, 2, 9, size_bytes=921_600)
    finding = named(judged(large, BEST_EFFORT), f"{CAMERA} lost")
    assert finding.level == "error" and "fastdds.xml" in finding.remedy
    assert finding.values == {"lost": 6, "sent": 9}
    assert named(judged(large, RELIABLE), f"{CAMERA} lost").level == "warning"
    whole = named(judged(arrivals(1, 2, 3, size_bytes=921_600), BEST_EFFORT), f"{CAMERA} lost")
    assert whole.level == "ok"


def test_publishers_that_disturb_each_other() -> None:
    came = arrivals(1, 2, 3)
    second = Offer("bag", KIND, False)
    two = judged(came, RELIABLE, second)
    assert named(two, f"{CAMERA} publishers").level == "warning"
    assert "bag, driver" in named(two, f"{CAMERA} publishers").found
    assert named(two, f"{CAMERA} lost").level == "unknown"
    other = Offer("lidar", "sensor_msgs/msg/PointCloud2", True)
    assert named(judged(came, RELIABLE, other), f"{CAMERA} publishers").level == "error"
    seen = Seen(CAMERA, (), came, 3.0, (480, 640), "bgr8")
    assert named(findings([seen], Surroundings()), f"{CAMERA} publishers").level == "error"


def test_a_frame_that_the_nodes_cannot_read() -> None:
    problem = "encoding 'mono16' is not unsigned 8 bit; set the camera driver to bgr8 or rgb8"
    finding = named(judged(arrivals(1, 2), size_hw=None, problem=problem), f"{CAMERA} frame")
    assert (finding.level, finding.remedy) == ("error", "set the camera driver to bgr8 or rgb8")
    assert named(judged(arrivals(1, 2), size_hw=None), f"{CAMERA} frame").level == "unknown"


def test_without_a_camera_it_says_what_is_there() -> None:
    (finding,) = findings([], Surroundings((("/scan", "sensor_msgs/msg/LaserScan"),)))
    assert finding.level == "error" and "/scan (sensor_msgs/msg/LaserScan)" in finding.found
    (finding,) = findings([], Surroundings())
    assert "no topics at all" in finding.found and "ROS_DOMAIN_ID" in finding.remedy
