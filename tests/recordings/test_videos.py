"""Videos: frames have the times that the file gives them, and what is missing is reported."""

from __future__ import annotations

import logging
import re
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from perception.errors import InputError
from perception.recordings import videos
from perception.recordings.containers import is_cut
from perception.recordings.sources import open_source
from tests.clips import write_clip, write_plain

STEADY = range(20)
# As phones record: every frame has its own time, and between two of them is a pause of 1.5 s.
VARIABLE = [0, 1, 2, 4, 5, 35, 36, 40]


def stamps_s(path: Path, start_ns: int = 0) -> list[float]:
    return [shot.stamp_ns / 1e9 for shot in open_source(path, start_ns=start_ns).shots()]


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov"])
def test_frames_have_their_own_times(tmp_path: Path, suffix: str, caplog: pytest.LogCaptureFixture) -> None:
    path = write_clip(tmp_path / f"phone{suffix}", VARIABLE)
    source = open_source(path)
    shots = list(source.shots())
    assert [shot.stamp_ns / 1e9 for shot in shots] == pytest.approx(np.array(VARIABLE) / 20, abs=0.001)
    assert [shot.time_ns for shot in shots] == [shot.stamp_ns for shot in shots]
    assert [round(float(shot.image.mean())) for shot in shots] == list(range(len(VARIABLE)))
    assert source.count == len(VARIABLE)
    assert source.rate_hz == pytest.approx(7 / 2.0, rel=0.01)
    assert source.end_ns > shots[-1].stamp_ns
    assert not caplog.records


def test_frames_that_a_camera_dropped_cost_no_error(tmp_path: Path) -> None:
    ticks = [tick for tick in range(200) if tick % 7 and not 40 < tick < 80]
    path = write_clip(tmp_path / "drops.mkv", ticks)
    assert cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FRAME_COUNT) > 1.2 * len(ticks)  # an estimate
    assert stamps_s(path) == pytest.approx((np.array(ticks) - ticks[0]) / 20, abs=0.001)


def test_a_video_begins_at_the_stamp_that_it_is_given(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "late.mkv", [60, 61, 63, 64])  # as the second file of a long recording
    assert stamps_s(path, start_ns=5_000_000_000) == pytest.approx([5.0, 5.05, 5.15, 5.2], abs=0.001)


def test_a_steady_rate_is_exact(tmp_path: Path) -> None:
    source = open_source(write_clip(tmp_path / "steady.mkv", STEADY))
    assert (source.rate_hz, source.end_ns) == (20.0, 1_000_000_000)


@pytest.mark.parametrize(("suffix", "codec"), [(".wmv", "WMV2"), (".flv", "FLV1"), (".3gp", "mp4v")])
@pytest.mark.parametrize("change", [str.lower, str.upper])
def test_formats_by_suffix_of_any_case(tmp_path: Path, suffix: str, codec: str, change) -> None:
    plain = write_plain(tmp_path / f"drive{suffix}", codec, 20)
    plain = plain.rename(tmp_path / f"drive{change(suffix)}")
    assert stamps_s(plain) == pytest.approx(np.arange(20) / 20, abs=0.002)


def test_a_transport_stream_of_a_camcorder(tmp_path: Path) -> None:
    made = write_plain(tmp_path / "drive.ts", "MPG2", 20).rename(tmp_path / "drive.MTS")
    times = stamps_s(made)
    assert len(times) == 20 and times == sorted(set(times))
    assert times[-1] == pytest.approx(19 / 20, abs=0.06)


@pytest.mark.skipif(not cv2.haveImageWriter(".gif"), reason="an OpenCV without GIF")
def test_an_animated_gif_is_a_video_and_a_still_one_a_picture(tmp_path: Path) -> None:
    frames = [np.full((48, 64, 3), value, np.uint8) for value in (0, 100, 200)]
    animation = cv2.Animation()
    animation.frames, animation.durations = frames, [100, 400, 100]
    cv2.imwriteanimation(str(tmp_path / "moving.gif"), animation)
    cv2.imwrite(str(tmp_path / "still.gif"), frames[2])
    assert stamps_s(tmp_path / "moving.gif") == pytest.approx([0.0, 0.1, 0.5], abs=0.001)
    (shot,) = open_source(tmp_path / "still.gif").shots()
    assert shot.image is not None and shot.image.min() > 150


def test_a_bare_stream_is_counted_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stream = tmp_path / "drive.mjpeg"
    picture = cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8))[1].tobytes()
    stream.write_bytes(10 * picture)
    assert stamps_s(stream) == pytest.approx(np.arange(10) / 25)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING and "holds no times" in record.getMessage()


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.avi", "a.wmv"])
def test_whole_files_are_not_cut_and_cut_ones_are(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "a.wmv":
        write_plain(path, "WMV2", 20)
    else:
        write_clip(path, STEADY)
    assert is_cut(path) is False
    path.write_bytes(path.read_bytes()[:-10])
    assert is_cut(path) is True


def test_containers_without_lengths_say_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a"
    ebml = b"\x1a\x45\xdf\xa3\x80" + b"\x18\x53\x80\x67"
    for data in (b"", b"FLV\1", b"RIFF", ebml, ebml + b"\x01" + 7 * b"\xff", b"RIFF\0\0\0\0AVI "):
        path.write_bytes(data)
        assert is_cut(path) is None
    path.write_bytes(bytes.fromhex("3026b2758e66cf11") + 70 * b"\xff")  # sizes beyond any file
    assert is_cut(path) is None
    for size, cut in ((3, False), (4, True)):
        path.write_bytes(ebml + bytes([0x80 | size]) + b"123")
        assert is_cut(path) is cut
    large = struct.pack(">I4sQ", 1, b"mdat", 20)
    for data, cut in ((large + b"1234", False), (large + b"123", True), (large[:12], True)):
        path.write_bytes(struct.pack(">I4s", 8, b"free") + data)
        assert is_cut(path) is cut


@pytest.mark.parametrize("share", [0.5, 0.96])
def test_a_video_that_breaks_off_says_when(tmp_path: Path, share: float) -> None:
    path = write_clip(tmp_path / "drive.mkv", range(100))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    shots = open_source(path).shots()
    taken = []
    with pytest.raises(InputError, match=r"breaks off at (\d\.\d) s of 5\.0 s, after \d+ frames") as error:
        taken.extend(shots)
    reached = float(re.search(r"at (\d\.\d) s", str(error.value))[1])
    assert reached == pytest.approx(len(taken) / 20, abs=0.1)
    assert len(taken) == pytest.approx(100 * share, abs=5)


def test_a_cut_index_costs_nothing(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "drive.avi", STEADY)
    path.write_bytes(path.read_bytes()[:-20])
    assert is_cut(path)
    assert len(stamps_s(path)) == 20


def test_pictures_that_end_before_the_file_are_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Sound may go on; the duration of an MKV is that of all that is in it."""
    path = write_clip(tmp_path / "drive.mkv", STEADY)
    data = path.read_bytes()
    at = data.index(b"\x44\x89\x88") + 3
    path.write_bytes(data[:at] + struct.pack(">d", 9000.0) + data[at + 8 :])
    assert len(stamps_s(path)) == 20
    (record,) = caplog.records
    assert "the pictures end at 1.0 s of 9.0 s" in record.getMessage()


@pytest.mark.parametrize(
    ("read_ms", "expected"),
    [
        ([0, 50, 100], [0, 50, 100]),
        ([700, 740, 800], [0, 40, 100]),  # the first frame is at 0
        ([-20_000, -15_000], [0, 5_000]),
        ([0, 50, 100, 0], [0, 50, 100, 150]),  # the last one has no time
        ([0, 50, 0, 150], [0, 50, 100, 150]),
        ([0, 0, 0], [0, 50, 100]),
        ([0, 50, 100, 10, 60, 110], [0, 50, 100, 150, 200, 250]),  # two files, one behind the other
        ([0, 50, 1e9, 1e9 + 50], [0, 50, 100, 150]),  # a clock that was set
        ([0, 50, 300, 100, 340, 400], [0, 50, 300, 350, 355, 400]),  # out of order, where data is lost
    ],
)
def test_times_always_rise(read_ms: list[float], expected: list[float]) -> None:
    clock = videos._Clock(50.0)
    assert [clock.time_ms(time_ms) for time_ms in read_ms] == pytest.approx(expected)


def test_an_unknown_codec_is_one_line(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    path = write_plain(tmp_path / "drive.avi", "MJPG", 3)
    path.write_bytes(path.read_bytes().replace(b"MJPG", b"ZZZZ"))
    with pytest.raises(InputError, match="its codec is unknown there; convert it: ffmpeg"):
        open_source(path)
    assert not capfd.readouterr().err
