import os
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

import perception
from perception.commands.run import run
from perception.errors import InputError
from perception.recordings.bag import BagReader, BagWriter
from perception.recordings.sources import open_source
from perception.report.summary import overlay
from tests.bags import COMPRESSED, RAW, ROIS, compressed, raw, rois, write_bag
from tests.clips import write_clip
from tests.conftest import COLORS, solid

RESULTS = {
    "/signs/label_info": "vision_msgs/msg/LabelInfo",
    "/signs/classification": "vision_msgs/msg/Classification",
    "/signs/detections": "vision_msgs/msg/Detection2DArray",
    "/segmentation/label_info": "vision_msgs/msg/LabelInfo",
    "/segmentation/mask": "sensor_msgs/msg/Image",
    "/segmentation/confidence": "sensor_msgs/msg/Image",
}


@pytest.fixture(scope="module")
def models(signs_model: Path, segmentation_model: Path) -> dict:
    return {"models": [perception.load(signs_model), perception.load(segmentation_model)]}


def read(results: Path, topic: str) -> list:
    with BagReader(results) as bag:
        return [message for _, _, message in bag.messages([topic])]


def test_a_bag_becomes_the_topics_of_the_nodes(tmp_path: Path, models: dict) -> None:
    bag = write_bag(tmp_path / "bag", [(RAW, raw(solid(color), i)) for i, color in enumerate(COLORS)])
    outcome = run([bag], tmp_path / "out", **models)
    with BagReader(outcome.results) as results:
        assert results.topics == RESULTS
    masks = read(outcome.results, "/segmentation/mask")
    assert [np.unique(mask.data).tolist() for mask in masks] == [[0], [1], [2]]
    assert {(mask.height, mask.width, mask.step, mask.encoding) for mask in masks} == {(40, 60, 60, "mono8")}
    classes = read(outcome.results, "/signs/classification")
    assert [message.results[0].class_id for message in classes] == ["0", "1", "2"]
    (names,) = read(outcome.results, "/signs/label_info")
    assert [(entry.class_id, entry.class_name) for entry in names.class_map] == list(enumerate(COLORS))
    for message in (*masks, *classes):
        assert message.header.frame_id == "front"
    assert [(m.header.stamp.sec, m.header.stamp.nanosec) for m in masks] == [
        (100, 0),
        (100, 100_000_000),
        (100, 200_000_000),
    ]


def test_boxes_of_the_bag_are_classified(tmp_path: Path, models: dict) -> None:
    frame = np.hstack([solid("Red"), solid("Green")])
    boxes = [(5.0, 5.0, 25.0, 25.0, ""), (70.0, 0.0, 110.0, 20.0, "")]
    messages = [
        (COMPRESSED, compressed(frame, 0)),
        (COMPRESSED, compressed(frame, 1)),
        (ROIS, rois(boxes, 0)),
    ]
    outcome = run([write_bag(tmp_path / "bag", messages)], tmp_path / "out", **models)
    first, second = read(outcome.results, "/signs/detections")
    assert [box.results[0].hypothesis.class_id for box in first.detections] == ["2", "1"]
    assert first.detections[1].bbox.center.position.x == 90.0
    assert len(second.detections) == 0  # no boxes for this one


def test_bad_frames_are_counted_listed_and_left_out(tmp_path: Path, models: dict) -> None:
    frame = solid("Red", 100, 100)
    images = [
        compressed(frame, 0),
        compressed(frame, 1, keep=300),
        compressed(frame, 2),
        compressed(frame, 3, keep=0),
    ]
    bag = write_bag(tmp_path / "bag", [(COMPRESSED, image) for image in images])
    outcome = run([bag], tmp_path / "out", **models)
    assert (outcome.summary.good, dict(outcome.summary.bad_reasons)) == (2, {"jpeg": 1, "data": 1})
    assert len(read(outcome.results, "/segmentation/mask")) == 2
    page = outcome.report.read_text(encoding="utf-8")
    assert "Bad frames in detail" in page and "JPEG is cut short" in page


def test_a_bad_box_keeps_no_mask_back(tmp_path: Path, models: dict) -> None:
    frame = solid("Red", 100, 100)
    messages = [(RAW, raw(frame, 0)), (RAW, raw(frame, 1))]
    boxes = [(ROIS, rois([(300.0, 0.0, 320.0, 20.0, "")], 0)), (ROIS, rois([(0.0, 0.0, 20.0, 20.0, "")], 1))]
    outcome = run([write_bag(tmp_path / "bag", [*messages, *boxes])], tmp_path / "out", **models)
    assert dict(outcome.summary.bad_reasons) == {"box": 1}
    assert len(read(outcome.results, "/segmentation/mask")) == 2
    assert len(read(outcome.results, "/signs/detections")) == 1


def test_not_one_usable_frame_is_an_error(tmp_path: Path, models: dict) -> None:
    bag = write_bag(tmp_path / "bag", [(RAW, raw(solid("Red"), 0, encoding="32FC1"))])
    with pytest.raises(InputError, match=r"not one usable frame \(1 depth\); see .*report\.html"):
        run([bag], tmp_path / "out", **models)


def test_a_bag_damaged_in_its_middle_keeps_what_came_before(tmp_path: Path, models: dict) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    bag = write_bag(tmp_path / "bag", [(RAW, raw(noise, stamp)) for stamp in range(30)])
    (file,) = bag.glob("*.mcap")
    data = bytearray(file.read_bytes())
    middle = len(data) * 2 // 3
    data[middle : middle + 500_000] = b"\xff" * 500_000
    file.write_bytes(data)
    with pytest.raises(InputError, match=r"damaged in the record.* frames before that are in"):
        run([bag], tmp_path / "out", overlays="none", **models)
    assert 0 < len(read(tmp_path / "out" / "results", "/segmentation/mask")) < 30
    assert "Incomplete" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_a_video_in_and_a_video_out(tmp_path: Path, models: dict) -> None:
    path = tmp_path / "drive.avi"
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 20.0, (64, 48))
    for color in COLORS:
        video.write(solid(color, 48, 64))
    video.release()
    outcome = run([path], tmp_path / "out", overlays="video", **models)
    masks = read(outcome.results, "/segmentation/mask")
    assert [int(np.median(mask.data)) for mask in masks] == [0, 1, 2]
    assert [mask.header.stamp.nanosec for mask in masks] == [0, 50_000_000, 100_000_000]
    made = open_source(tmp_path / "out" / "overlay.mp4")
    assert (len(list(made.shots())), made.rate_hz) == (3, 20.0)


def test_names_with_a_time_of_day(tmp_path: Path, models: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    """FFmpeg takes text before a colon as a protocol."""
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("a.png", solid("Red", 48, 64))
    run([Path("a.png")], Path("12:30"), overlays="video", **models)
    Path("12:30/overlay.mp4").rename("12:30:05.mp4")
    assert run([Path("12:30:05.mp4")], Path("again"), **models).summary.good == 1
    Path("12:30:05.mp4").unlink()
    assert "Run: " + tmp_path.name in run([Path()], Path("out"), **models).report.read_text(encoding="utf-8")


def test_a_video_of_pictures_that_came_at_once(tmp_path: Path, models: dict) -> None:
    with BagWriter(tmp_path / "burst") as bag:
        for time_ns in range(3):
            bag.write(RAW, raw(solid("Red"), time_ns), time_ns)
    run([tmp_path / "burst"], tmp_path / "out", overlays="video", **models)
    assert len(list(open_source(tmp_path / "out" / "overlay.mp4").shots())) == 3


def test_a_picture_too_wide_for_a_video_is_refused(tmp_path: Path, models: dict) -> None:
    cv2.imwrite(str(tmp_path / "wide.png"), solid("Red", 16, 9000))
    with pytest.raises(InputError, match=r"cannot write a video of 9000×16 px at 1\.0 Hz there; try"):
        run([tmp_path / "wide.png"], tmp_path / "out", overlays="video", **models)


def test_names_that_are_no_text(tmp_path: Path, models: dict) -> None:
    """OpenCV would end the process."""
    odd = os.fsdecode(b"stra\xdfe")
    picture = tmp_path / f"{odd}.png"
    picture.write_bytes(cv2.imencode(".png", solid("Red"))[1].tobytes())
    outcome = run([picture], tmp_path / odd, **models)
    assert outcome.report.is_file() and (tmp_path / odd / "overlay" / "000000.jpg").is_file()
    with pytest.raises(InputError, match="not UTF-8"):
        run([picture], tmp_path / (odd + "2"), overlays="video", **models)
    picture.rename(picture.with_suffix(".mp4"))
    with pytest.raises(InputError, match="not UTF-8"):
        run([picture.with_suffix(".mp4")], tmp_path / "out", **models)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_video_that_was_cut_short(
    tmp_path: Path, models: dict, share: float, capfd: pytest.CaptureFixture
) -> None:
    path = tmp_path / "drive.mp4"
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 20.0, (64, 48))
    for color in COLORS:
        video.write(solid(color, 48, 64))
    video.release()
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(InputError, match=r"drive\.mp4: OpenCV cannot read a frame"):
        run([path], tmp_path / "out", **models)
    assert not capfd.readouterr().err


def test_a_video_whose_rate_is_that_of_its_clock(tmp_path: Path) -> None:
    """As browsers record screens: no frame rate in the container, and each frame when there was one."""
    path, count = tmp_path / "screen.webm", 40
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"VP80"), 25.0, (64, 48))
    for number in range(count):
        video.write(solid(COLORS[number % 3], 48, 64))
    video.release()
    content = bytearray(path.read_bytes())
    rate = content.find(b"\x23\xe3\x83")
    length = 4 + (content[rate + 3] & 0x7F)
    content[rate : rate + length] = bytes([0xEC, 0x80 | (length - 2), *(length - 2) * [0]])
    time_ms = 0
    for number, block in enumerate(re.finditer(rb"\xa3.{1,4}?\x81(..)[\x80\x00]", bytes(content), re.DOTALL)):
        content[block.start(1) : block.end(1)] = time_ms.to_bytes(2, "big")
        time_ms += (17, 23, 41, 67, 50)[number % 5]
    path.write_bytes(content)
    source = open_source(path)
    assert source.count == len(list(source.shots())) == count
    assert source.rate_hz == pytest.approx(25.0, rel=0.02)


def test_a_video_that_breaks_off_keeps_what_came_before(tmp_path: Path, models: dict) -> None:
    path = tmp_path / "drive.avi"
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 20.0, (320, 240))
    noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3)).astype(np.uint8)  # fills the file
    for _ in range(20):
        video.write(noise)
    video.release()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(
        InputError, match=r"breaks off at 0\.\d s of 1\.0 s, after \d+ frames; \d+ frames before"
    ):
        run([path], tmp_path / "out", **models)
    assert "breaks off" in (tmp_path / "out" / "report.html").read_text()


def test_a_folder_and_a_picture_make_one_run(tmp_path: Path, models: dict) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    cv2.imwrite(str(folder / "b.png"), solid("Green"))
    cv2.imwrite(str(folder / "a.jpg"), solid("Blue"))
    (folder / "c.jpg").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("ignored")
    cv2.imwrite(str(tmp_path / "last.bmp"), solid("Red"))
    outcome = run([folder, tmp_path / "last.bmp"], tmp_path / "out", **models)
    masks = read(outcome.results, "/segmentation/mask")
    assert [(mask.header.stamp.sec, int(mask.data[0])) for mask in masks] == [(0, 0), (1, 1), (3, 2)]
    assert dict(outcome.summary.bad_reasons) == {"encoding": 1}
    first, *rest = sorted((tmp_path / "out" / "overlay").glob("*.jpg"))
    assert len(rest) == 2
    drawn = overlay(solid("Blue"), [model(solid("Blue")) for model in models["models"]])
    assert np.abs(cv2.imread(str(first)).astype(int) - drawn).mean() < 10  # JPEG
    assert np.abs(drawn.astype(int) - solid("Blue")).mean() > 20


def test_what_is_passed_over_is_in_the_report(tmp_path: Path, models: dict) -> None:
    folder = tmp_path / "phone"
    folder.mkdir()
    cv2.imwrite(str(folder / "IMG_10.PNG"), solid("Blue"))
    cv2.imwrite(str(folder / "IMG_9.JPG"), solid("Red"))
    (folder / "IMG_11.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    (folder / "._IMG_9.JPG").write_bytes(b"\0\5\x16\7")
    outcome = run([folder], tmp_path / "out", **models)
    assert (outcome.summary.good, outcome.summary.bad_reasons.total()) == (2, 0)
    masks = read(outcome.results, "/segmentation/mask")
    assert [int(mask.data[0]) for mask in masks] == [2, 0]
    (remark,) = outcome.remarks
    assert "1 × HEIC picture (IMG_11.HEIC): convert it" in remark
    assert "IMG_11.HEIC" in outcome.report.read_text(encoding="utf-8")


def test_results_of_a_video_have_the_times_of_its_frames(tmp_path: Path, models: dict) -> None:
    ticks = [0, 1, 2, 40, 41, 43]
    outcome = run([write_clip(tmp_path / "screen.mkv", ticks)], tmp_path / "out", **models)
    stamps = [mask.header.stamp for mask in read(outcome.results, "/segmentation/mask")]
    times = [stamp.sec + stamp.nanosec / 1e9 for stamp in stamps]
    assert times == pytest.approx([tick / 20 for tick in ticks], abs=0.001)
    assert not outcome.remarks


def test_files_that_cannot_be_read_are_bad_frames(tmp_path: Path, models: dict) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    cv2.imwrite(str(folder / "a.png"), solid("Blue"))
    (folder / "b.jpg").symlink_to(tmp_path / "gone.jpg")
    (folder / "c.ppm").write_bytes(b"P6 60000 60000 255\n" + bytes(100))
    cv2.imwrite(str(folder / "d.png"), solid("Red"))
    (folder / "d.png").rename(folder / os.fsdecode("Straße.png".encode("latin-1")))
    cv2.imwrite(str(folder / "e.tif"), np.full((40, 60, 3), 2000, np.uint16))
    outcome = run([folder], tmp_path / "out", **models)
    assert (outcome.summary.good, dict(outcome.summary.bad_reasons)) == (2, {"data": 2, "depth": 1})
    assert "Stra?e.png" in outcome.report.read_text(encoding="utf-8")


def test_time_goes_on_from_one_input_to_the_next(tmp_path: Path, models: dict) -> None:
    # A stream of JPEGs does not say its length, and a bag's clock is not that of a file.
    stream = tmp_path / "drive.mjpg"
    stream.write_bytes(b"".join(cv2.imencode(".jpg", solid("Blue", 48, 64))[1].tobytes() for _ in range(30)))
    assert open_source(stream).count == 30
    bag = write_bag(tmp_path / "bag", [(RAW, raw(solid(color), i)) for i, color in enumerate(COLORS)])
    cv2.imwrite(str(tmp_path / "last.png"), solid("Red"))
    outcome = run([stream, bag, tmp_path / "last.png"], tmp_path / "out", **models)
    assert outcome.summary.good == 34
    page = outcome.report.read_text(encoding="utf-8")
    shown = [float(time) for time in re.findall(r"<figcaption>([\d.-]+) s", page)]
    assert shown == sorted(shown) and shown[0] >= 0 and 1.2 <= shown[-1] <= 2.0
    with BagReader(outcome.results) as results:
        times = [time_ns / 1e9 for _, time_ns, _ in results.raw(["/segmentation/mask"])]
    assert len(times) == 34
    assert times[-1] - times[0] < 5.0  # or to play it would take the age of the bag


def test_pictures_of_another_run_are_not_mixed_in(tmp_path: Path, models: dict) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), solid("Red"))
    (tmp_path / "out" / "overlay").mkdir(parents=True)
    with pytest.raises(InputError, match="overlay exists already"):
        run([tmp_path / "a.png"], tmp_path / "out", **models)
    assert not (tmp_path / "out" / "results").exists()


def test_the_report_shows_pictures_signs_shares_and_latency(tmp_path: Path, models: dict) -> None:
    bag = write_bag(tmp_path / "bag", [(RAW, raw(solid(COLORS[i % 3]), i)) for i in range(30)])
    page = run([bag], tmp_path / "out", **models).report.read_text(encoding="utf-8")
    assert page.count("<img ") == 12
    stages = ("segmentation infer", "signs prepare", "read")
    for words in ("Signs over time", "Shares of the frame", *stages, *COLORS):
        assert words in page
    assert not re.search(r"<script|<link|https?://", page)


def test_one_model_alone(tmp_path: Path, models: dict) -> None:
    bag = write_bag(tmp_path / "bag", [(RAW, raw(solid("Red"), 0))])
    outcome = run([bag], tmp_path / "out", models=models["models"][1:], overlays="none")
    with BagReader(outcome.results) as results:
        assert all(topic.startswith("/segmentation/") for topic in results.topics)
    assert not (tmp_path / "out" / "overlay").exists()


def test_a_wrong_input_is_reported_before_anything_is_written(tmp_path: Path, models: dict) -> None:
    bag = write_bag(tmp_path / "bag", [(RAW, raw(solid("Red"), 0))])
    with pytest.raises(InputError, match="no such file"):
        run([bag, tmp_path / "typo.mcap"], tmp_path / "out", **models)
    assert not (tmp_path / "out").exists()


def test_results_are_not_overwritten(tmp_path: Path, models: dict) -> None:
    bag = write_bag(tmp_path / "bag", [(RAW, raw(solid("Red"), 0))])
    run([bag], tmp_path / "out", **models)
    with pytest.raises(InputError, match="exists already"):
        run([bag], tmp_path / "out", **models)


def test_a_clock_that_was_set_leaves_no_gap_in_the_report(tmp_path: Path, models: dict) -> None:
    with BagWriter(tmp_path / "bag") as bag:
        for number in range(12):
            start_s = 100 if number < 6 else 1_790_000_000
            bag.write(RAW, raw(solid("Red"), number), start_s * 10**9 + number * 10**8)
    outcome = run([tmp_path / "bag"], tmp_path / "out", **models)
    page = outcome.report.read_text(encoding="utf-8")
    shown = [float(time) for time in re.findall(r"<figcaption>([\d.-]+) s", page)]
    assert shown == pytest.approx([number / 10 for number in range(12)])
    assert outcome.summary.end_s == pytest.approx(1.2)
    (remark,) = outcome.remarks
    assert "bag: the clock jumps by 56.72 years, from 1970-01-01 00:01:40 to 2026-09-21" in remark
    assert "jumps by 56.72 years" in page


def test_boxes_of_another_clock_are_named_with_their_distance(tmp_path: Path, models: dict) -> None:
    images = [(RAW, raw(solid("Red"), number)) for number in range(3)]
    late = [rois([(0.0, 0.0, 20.0, 20.0, ""), (5.0, 5.0, 20.0, 20.0, "")], number) for number in range(3)]
    for message in late[1:]:
        message.header.stamp.nanosec += 7_000_000
    bag = write_bag(tmp_path / "bag", [*images, *((ROIS, message) for message in late)])
    outcome = run([bag], tmp_path / "out", **models)
    assert [len(m.detections) for m in read(outcome.results, "/signs/detections")] == [2, 0, 0]
    (remark,) = outcome.remarks
    assert f"4 of 6 boxes on {ROIS} have the stamp of no image and are not used" in remark
    assert remark.endswith("the nearest is 7 ms from one")
    assert "4 of 6 boxes" in outcome.report.read_text(encoding="utf-8")


def test_a_second_message_of_boxes_for_an_image_is_named(tmp_path: Path, models: dict) -> None:
    boxes = [(ROIS, rois([(0.0, 0.0, 20.0, 20.0, "")], 0))] * 2
    bag = write_bag(tmp_path / "bag", [(RAW, raw(solid("Red"), 0)), *boxes])
    (remark,) = run([bag], tmp_path / "out", **models).remarks
    assert "1 of 2 boxes" in remark and "several messages have one image's stamp" in remark


def test_boxes_that_fit_need_no_remark(tmp_path: Path, models: dict) -> None:
    """Nor do messages without boxes, which detectors send for frames that were not recorded."""
    messages = [
        (RAW, raw(solid("Red"), 0)),
        (ROIS, rois([(0.0, 0.0, 20.0, 20.0, "")], 0)),
        (ROIS, rois([], 1)),
    ]
    assert not run([write_bag(tmp_path / "bag", messages)], tmp_path / "out", **models).remarks


@pytest.mark.parametrize("options", [{}, {"rois": "none"}, {"rois": "/yolo/detections"}])
def test_boxes_under_another_name_are_hinted_at(tmp_path: Path, models: dict, options: dict) -> None:
    messages = [(RAW, raw(solid("Red"), 0)), ("/yolo/detections", rois([(0.0, 0.0, 20.0, 20.0, "")], 0))]
    outcome = run([write_bag(tmp_path / "bag", messages)], tmp_path / "out", **models, **options)
    assert any("--rois /yolo/detections uses them" in text for text in outcome.remarks) is (not options)


def test_what_the_nodes_answered_on_a_drive_is_no_box_to_hint_at(tmp_path: Path, models: dict) -> None:
    answers = rois([(0.0, 0.0, 20.0, 20.0, "2")], 0)
    messages = [(RAW, raw(solid("Red"), 0)), ("/car/signs/detections", answers)]
    assert not run([write_bag(tmp_path / "bag", messages)], tmp_path / "out", **models).remarks


def test_boxes_in_shares_of_the_picture_are_bad_boxes(tmp_path: Path, models: dict) -> None:
    boxes = [(ROIS, rois([(0.1, 0.2, 0.4, 0.9, "")], 0)), (ROIS, rois([(5.0, 5.0, 30.0, 30.0, "")], 1))]
    messages = [(RAW, raw(solid("Red"), number)) for number in range(2)] + boxes
    outcome = run([write_bag(tmp_path / "bag", messages)], tmp_path / "out", **models)
    assert dict(outcome.summary.bad_reasons) == {"box": 1}
    assert "are these shares of the picture?" in outcome.report.read_text(encoding="utf-8")
