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
from tests.bags import COMPRESSED, RAW, ROIS, compressed, damage, raw, rois, write_bag
from tests.clips import write_clip
from tests.conftest import COLORS, solid

SIGNS_RESULTS = {
    "/signs/label_info": "vision_msgs/msg/LabelInfo",
    "/signs/classification": "vision_msgs/msg/Classification",
    "/signs/detections": "vision_msgs/msg/Detection2DArray",
}
RESULTS = SIGNS_RESULTS | {
    "/segmentation/label_info": "vision_msgs/msg/LabelInfo",
    "/segmentation/mask": "sensor_msgs/msg/Image",
    "/segmentation/confidence": "sensor_msgs/msg/Image",
}


@pytest.fixture(scope="module")
def models(signs_model: Path, segmentation_model: Path) -> dict:
    """Each frame is one sign: what is true of frames, inputs and outputs needs no boxes."""
    return {"models": [perception.load(signs_model), perception.load(segmentation_model)], "boxes": "frame"}


@pytest.fixture(scope="module")
def of_boxes(models: dict) -> dict:
    """The boxes of the bag are read."""
    return models | {"boxes": "rois"}


@pytest.fixture(scope="module")
def finding(detector_model: Path, signs_model: Path) -> dict:
    """Signs are found in the frames."""
    return {"models": [perception.SignReader(perception.load(detector_model), perception.load(signs_model))]}


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


def test_boxes_of_the_bag_are_classified(tmp_path: Path, of_boxes: dict) -> None:
    frame = np.hstack([solid("Red"), solid("Green")])
    boxes = [(5.0, 5.0, 25.0, 25.0, ""), (70.0, 0.0, 110.0, 20.0, "")]
    messages = [
        (COMPRESSED, compressed(frame, 0)),
        (COMPRESSED, compressed(frame, 1)),
        (ROIS, rois(boxes, 0)),
    ]
    outcome = run([write_bag(tmp_path / "bag", messages)], tmp_path / "out", **of_boxes)
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


def test_a_bad_box_keeps_no_mask_back(tmp_path: Path, of_boxes: dict) -> None:
    frame = solid("Red", 100, 100)
    messages = [(RAW, raw(frame, 0)), (RAW, raw(frame, 1))]
    boxes = [(ROIS, rois([(300.0, 0.0, 320.0, 20.0, "")], 0)), (ROIS, rois([(0.0, 0.0, 20.0, 20.0, "")], 1))]
    outcome = run([write_bag(tmp_path / "bag", [*messages, *boxes])], tmp_path / "out", **of_boxes)
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
    damage(bag)
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


def test_boxes_of_another_clock_are_named_with_their_distance(tmp_path: Path, of_boxes: dict) -> None:
    images = [(RAW, raw(solid("Red"), number)) for number in range(3)]
    late = [rois([(0.0, 0.0, 20.0, 20.0, ""), (5.0, 5.0, 20.0, 20.0, "")], number) for number in range(3)]
    for message in late[1:]:
        message.header.stamp.nanosec += 7_000_000
    bag = write_bag(tmp_path / "bag", [*images, *((ROIS, message) for message in late)])
    outcome = run([bag], tmp_path / "out", **of_boxes)
    assert [len(m.detections) for m in read(outcome.results, "/signs/detections")] == [2, 0, 0]
    (remark,) = outcome.remarks
    assert f"4 of 6 boxes on {ROIS} have the stamp of no image and are not used" in remark
    assert remark.endswith("the nearest is 7 ms from one")
    assert "4 of 6 boxes" in outcome.report.read_text(encoding="utf-8")


def test_a_second_message_of_boxes_for_an_image_is_named(tmp_path: Path, of_boxes: dict) -> None:
    boxes = [(ROIS, rois([(0.0, 0.0, 20.0, 20.0, "")], 0))] * 2
    bag = write_bag(tmp_path / "bag", [(RAW, raw(solid("Red"), 0)), *boxes])
    (remark,) = run([bag], tmp_path / "out", **of_boxes).remarks
    assert "1 of 2 boxes" in remark and "several messages have one image's stamp" in remark


def test_boxes_that_fit_need_no_remark(tmp_path: Path, of_boxes: dict) -> None:
    """Nor do messages without boxes, which detectors send for frames that were not recorded."""
    messages = [
        (RAW, raw(solid("Red"), 0)),
        (ROIS, rois([(0.0, 0.0, 20.0, 20.0, "")], 0)),
        (ROIS, rois([], 1)),
    ]
    assert not run([write_bag(tmp_path / "bag", messages)], tmp_path / "out", **of_boxes).remarks


@pytest.mark.parametrize(
    ("topics", "remedy"),
    [
        ((ROIS,), "--boxes rois takes them"),
        (("/yolo/detections",), "--rois /yolo/detections takes them"),
        ((ROIS, "/yolo/detections"), f"--rois {ROIS} takes them"),
    ],
)
def test_boxes_of_the_bag_that_are_not_used_are_mentioned(
    tmp_path: Path, finding: dict, models: dict, topics: tuple[str, ...], remedy: str
) -> None:
    boxes = [(topic, rois([(0.0, 0.0, 20.0, 20.0, "")], 0)) for topic in topics]
    bag = write_bag(tmp_path / "bag", [(RAW, raw(solid("Red"), 0)), *boxes])
    (remark,) = run([bag], tmp_path / "out", **finding).remarks
    assert f"the boxes on {', '.join(topics)} are not used, {remedy}" in remark
    assert not run([bag], tmp_path / "frames", **models).remarks  # somebody chose it
    road = {"models": models["models"][1:]}
    assert not run([bag], tmp_path / "road", **road).remarks  # reads no boxes


def test_what_the_nodes_answered_on_a_drive_is_no_box_to_mention(tmp_path: Path, finding: dict) -> None:
    answers = rois([(0.0, 0.0, 20.0, 20.0, "2")], 0)
    messages = [(RAW, raw(solid("Red"), 0)), ("/car/signs/detections", answers)]
    assert not run([write_bag(tmp_path / "bag", messages)], tmp_path / "out", **finding).remarks


def test_boxes_that_are_not_there_cannot_be_taken(tmp_path: Path, of_boxes: dict) -> None:
    red = (RAW, raw(solid("Red"), 0))
    bare = write_bag(tmp_path / "bare", [red])
    with pytest.raises(InputError, match="bare: it has no boxes; --boxes detector finds them"):
        run([bare], tmp_path / "out", **of_boxes)
    other = write_bag(tmp_path / "other", [red, ("/yolo/detections", rois([(0.0, 0.0, 20.0, 20.0, "")], 0))])
    with pytest.raises(InputError, match="name that ends in rois; --rois /yolo/detections takes those"):
        run([other], tmp_path / "out", **of_boxes)
    cv2.imwrite(str(tmp_path / "a.png"), solid("Red"))
    with pytest.raises(InputError, match=r"a\.png: it has no boxes"):
        run([tmp_path / "a.png"], tmp_path / "out", **of_boxes)
    assert not (tmp_path / "out").exists()
    done = run([other], tmp_path / "out", rois="/yolo/detections", **of_boxes)
    assert len(read(done.results, "/signs/detections")[0].detections) == 1


def drive(count: int) -> list[np.ndarray]:
    """A red sign comes nearer while a blue one is passed, before grey."""
    frames = []
    for number in range(count):
        frame = solid("grey", 100, 150)
        frame[40 - number : 60 + number, 20 - number : 40 + number] = solid("Red", 1, 1)
        if number < count // 2:
            frame[10:30, 100 + 3 * number : 120 + 3 * number] = solid("Blue", 1, 1)
        frames.append(frame)
    return frames


def test_signs_of_a_bag_are_found_read_and_followed(tmp_path: Path, finding: dict) -> None:
    frames = drive(16)
    bag = write_bag(tmp_path / "bag", [(RAW, raw(frame, stamp)) for stamp, frame in enumerate(frames)])
    outcome = run([bag], tmp_path / "out", **finding)
    with BagReader(outcome.results) as results:
        assert results.topics == SIGNS_RESULTS | {"/signs/events": "vision_msgs/msg/Detection2D"}
    detections = read(outcome.results, "/signs/detections")
    assert [len(message.detections) for message in detections] == [2] * 8 + [1] * 8
    first, last = detections[7].detections, detections[-1].detections
    ids = {each.results[0].hypothesis.class_id: each.id for each in first}
    assert set(ids) == {"2", "0"} and len(set(ids.values())) == 2
    assert (last[0].id, last[0].results[0].hypothesis.class_id) == (ids["2"], "2")
    assert (last[0].bbox.center.position.x, last[0].bbox.size_x) == (30.0, 50.0)  # as it was found
    nearest = read(outcome.results, "/signs/classification")[7].results
    assert [each.class_id for each in nearest] == ["2", "0"]
    events = [
        (event.results[0].hypothesis.class_id, event.results[0].hypothesis.score > 0, event.id)
        for event in read(outcome.results, "/signs/events")
    ]
    assert sorted(events) == [("0", False, ids["0"]), ("0", True, ids["0"]), ("2", True, ids["2"])]
    assert read(outcome.results, "/signs/events")[0].header.frame_id == "front"


def test_signs_of_a_bag_are_in_the_report(tmp_path: Path, finding: dict) -> None:
    bag = write_bag(tmp_path / "bag", [(RAW, raw(frame, stamp)) for stamp, frame in enumerate(drive(16))])
    outcome = run([bag], tmp_path / "out", **finding)
    page = outcome.report.read_text(encoding="utf-8")
    for words in ("2 signs were followed and confirmed", "Signs that were followed", "signs find infer"):
        assert words in page
    picture = cv2.imread(str(tmp_path / "out" / "overlay" / "000015.jpg"))
    assert (np.abs(picture.astype(int) - drive(16)[15]).max(axis=2) > 60).sum() > 200  # a box and its name


def test_signs_of_a_video_are_followed(tmp_path: Path, finding: dict) -> None:
    path = tmp_path / "drive.avi"
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (150, 100))
    for frame in drive(16):
        video.write(frame)
    video.release()
    outcome = run([path], tmp_path / "out", **finding)
    reds = [
        each.id
        for message in read(outcome.results, "/signs/detections")
        for each in message.detections
        if each.results and each.results[0].hypothesis.class_id == "2"
    ]
    assert len(reds) > 10 and len(set(reds)) == 1


def test_nothing_is_followed_from_one_input_into_the_next(tmp_path: Path, finding: dict) -> None:
    bags = [
        write_bag(tmp_path / name, [(RAW, raw(solid("Red", 100, 150), stamp)) for stamp in range(4)])
        for name in ("a", "b")
    ]
    outcome = run(bags, tmp_path / "out", **finding)
    ids = [message.detections[0].id for message in read(outcome.results, "/signs/detections")]
    assert sorted(ids) == ["1"] * 4 + ["2"] * 4


def test_stamps_that_a_driver_left_at_zero_are_replaced_by_the_times_of_recording(
    tmp_path: Path, finding: dict
) -> None:
    """A sign that is gone for ten seconds is another one then."""
    with BagWriter(tmp_path / "bag") as bag:
        for tenth in (10, 11, 120, 121):
            message = raw(solid("Red", 100, 150), 0)
            message.header.stamp.sec = 0
            bag.write(RAW, message, tenth * 10**8)
    outcome = run([tmp_path / "bag"], tmp_path / "out", **finding)
    first, again, later, last = (m.detections[0].id for m in read(outcome.results, "/signs/detections"))
    assert first == again != later == last


def test_pictures_of_a_folder_are_read_one_by_one(tmp_path: Path, finding: dict) -> None:
    """They have no time, so nothing is followed."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for number, frame in enumerate(drive(4)):
        cv2.imwrite(str(folder / f"{number}.png"), frame)
    outcome = run([folder], tmp_path / "out", **finding)
    detections = read(outcome.results, "/signs/detections")
    assert [len(message.detections) for message in detections] == [2, 2, 1, 1]
    assert {each.id for message in detections for each in message.detections} == {""}
    assert read(outcome.results, "/signs/events") == []
    page = outcome.report.read_text(encoding="utf-8")
    assert "6 known signs of 2 classes" in page and "were followed" not in page
    assert not outcome.remarks


def test_a_folder_of_crops_is_hinted_at(tmp_path: Path, finding: dict, models: dict) -> None:
    folder = tmp_path / "crops"
    folder.mkdir()
    for number in range(3):
        cv2.imwrite(str(folder / f"{number}.png"), solid("grey", 40, 30 + number))
    (remark,) = run([folder], tmp_path / "out", **finding).remarks
    assert "crops: nothing known was found in 3 of 3 pictures, and the largest has 40 px" in remark
    assert "are these crops of signs? --boxes frame reads each as one sign" in remark
    assert not run([folder], tmp_path / "frame", **models).remarks
    cv2.imwrite(str(folder / "street.png"), solid("grey", 300, 400))
    assert not run([folder], tmp_path / "street", **finding).remarks
    (folder / "street.png").unlink()
    for number in range(3):
        cv2.imwrite(str(folder / f"{number}.png"), solid("Red", 40, 40))
    assert not run([folder], tmp_path / "found", **finding).remarks


def test_to_find_signs_a_detector_is_needed(tmp_path: Path, models: dict) -> None:
    with pytest.raises(ValueError, match="give a SignReader"):
        run([tmp_path], tmp_path / "out", models=models["models"])


def test_boxes_in_shares_of_the_picture_are_bad_boxes(tmp_path: Path, of_boxes: dict) -> None:
    boxes = [(ROIS, rois([(0.1, 0.2, 0.4, 0.9, "")], 0)), (ROIS, rois([(5.0, 5.0, 30.0, 30.0, "")], 1))]
    messages = [(RAW, raw(solid("Red"), number)) for number in range(2)] + boxes
    outcome = run([write_bag(tmp_path / "bag", messages)], tmp_path / "out", **of_boxes)
    assert dict(outcome.summary.bad_reasons) == {"box": 1}
    assert "are these shares of the picture?" in outcome.report.read_text(encoding="utf-8")
