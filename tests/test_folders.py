"""Folders of pictures: one rule for the runtime and training; what is passed over is named once."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from perception import folders
from perception.errors import InputError
from perception.recordings.sources import open_source
from training.datasets.images import DataError, files

JPEG = cv2.imencode(".jpg", np.full((40, 60, 3), 90, np.uint8))[1].tobytes()
PNG = cv2.imencode(".png", np.full((40, 60, 3), 90, np.uint8))[1].tobytes()
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


def fill(folder: Path, **content: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    for name, data in content.items():
        (folder / name).write_bytes(data)
    return folder


def names(folder: Path) -> list[str]:
    return [path.name for path in folders.list_pictures(folder).pictures]


def test_run_and_training_list_the_same_pictures_in_counted_order(tmp_path: Path) -> None:
    wanted = ["2.JPG", "3.jfif", "4.JPE", "10.jpg", "11.PNG", "frame2.Tiff", "frame10.WebP", "raw", "x.gif"]
    folder = fill(tmp_path / "pictures", **dict.fromkeys(wanted, JPEG))
    assert names(folder) == wanted
    assert [path.name for path in files(folder)] == wanted
    assert [shot.name for shot in open_source(folder).shots()] == wanted


def test_what_programs_put_there_is_neither_read_nor_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = ("._1.jpg", ".hidden.png", "Thumbs.db", "thumbs.DB", "desktop.ini", ".DS_Store")
    folder = fill(tmp_path / "pictures", **{"1.jpg": JPEG}, **dict.fromkeys(own, JPEG))
    for name in ("__MACOSX", "@eaDir", "$RECYCLE.BIN"):
        fill(folder / name, **{"2.jpg": JPEG})
    assert [shot.name for shot in open_source(folder).shots()] == ["1.jpg"]
    assert [path.name for path in files(folder)] == ["1.jpg"]
    assert not caplog.records


def test_what_is_passed_over_is_named_once_with_what_to_do(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = fill(
        tmp_path / "pictures",
        **{"1.jpg": JPEG, "b.HEIC": HEIC, "c.heic": HEIC, "d.AVI": b"", "e.mjpg": JPEG, "notes.txt": b"sun"},
        **{"f": b"", "g.psd": b"8BPS", "h.jpg_original": JPEG, "i.bin": bytes(range(256))},
    )
    fill(folder / "day.jpg", **{"2.jpg": JPEG})
    os.mkfifo(folder / "pipe.png")
    assert [shot.name for shot in open_source(folder).shots()] == ["1.jpg"]
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    text = record.getMessage()
    assert "\n" not in text and "11 entries are passed over" in text
    for part in (
        "2 × HEIC picture (b.HEIC, c.heic): convert it to JPEG or PNG",
        "2 × video (d.AVI, e.mjpg): give it to perception run as an input of its own",
        "1 × text file (notes.txt)",
        "1 × empty file (f)",
        "1 × Photoshop document (g.psd)",
        "1 × picture with an unusual suffix (h.jpg_original)",
        "1 × file of an unknown kind (i.bin)",
        "1 × folder (day.jpg): give it",
        "1 × pipe or device (pipe.png)",
    ):
        assert part in text


def test_many_are_counted_and_three_are_named(tmp_path: Path) -> None:
    content = {f"{number}.heic": HEIC for number in range(12)}
    folder = fill(tmp_path / "pictures", **content, **{"1.jpg": JPEG})
    (text,) = folders.describe(folder, folders.list_pictures(folder))
    assert "12 × HEIC picture (0.heic, 1.heic, 2.heic and 9 more)" in text


def test_training_names_what_was_meant_as_a_picture_and_no_notes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = {"1.jpg": JPEG, "GT-00001.csv": b"a;b", "LICENSE": b"free", "2.heic": HEIC, "3.mp4": b""}
    folder = fill(tmp_path / "pictures", **content)
    fill(folder / "night")
    for _ in range(3):
        assert [path.name for path in files(folder)] == ["1.jpg"]
    (record,) = caplog.records
    assert "2 entries are passed over: 1 × HEIC picture (2.heic)" in record.getMessage()


def test_a_folder_without_pictures_says_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"neither a bag nor pictures.*1 × HEIC picture.*convert it to JPEG"):
        open_source(fill(tmp_path / "phone", **{"a.HEIC": HEIC}))
    with pytest.raises(InputError, match=r"neither a bag nor pictures \(\.jpg[^:]*\)$"):
        open_source(fill(tmp_path / "empty"))
    with pytest.raises(DataError, match="cannot be listed"):
        files(tmp_path / "none")


def test_damaged_pictures_are_bad_frames_and_stay_in_the_order(tmp_path: Path) -> None:
    content = {
        "1.jpg": JPEG,
        "2.jpg": b"",
        "4.jpg": HEIC,
        "5.jpg": b"version https://git-lfs.github",
        "6.jpg": PNG,
    }
    folder = fill(tmp_path / "pictures", **content)
    (folder / "3.jpg").symlink_to("/no/such.jpg")
    shots = list(open_source(folder).shots())
    assert [shot.image is not None for shot in shots] == [True, False, False, False, False, True]
    errors = " / ".join(str(shot.error) for shot in shots if shot.error)
    for part in ("the file is empty", "a link to /no/such.jpg", "a HEIC picture", "a Git LFS pointer"):
        assert part in errors


def animated(suffix: str) -> bytes:
    animation = cv2.Animation() if hasattr(cv2, "Animation") else SimpleNamespace()
    animation.frames = [np.full((40, 60, 3), value, np.uint8) for value in (0, 255)]
    animation.durations = [100, 100]
    try:
        return cv2.imencodeanimation(suffix, animation)[1].tobytes()
    except (AttributeError, cv2.error):
        pytest.skip(f"an OpenCV that writes no animated {suffix}")


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp"])
def test_of_an_animation_the_first_picture_is_read_and_named(
    tmp_path: Path, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    still = cv2.imencode(suffix, np.zeros((40, 60, 3), np.uint8))[1].tobytes()
    folder = fill(tmp_path / "pictures", **{f"1{suffix}": still, f"2{suffix}": animated(suffix)})
    shots = list(open_source(folder).shots())
    assert max(int(shot.image.max()) for shot in shots) < 3
    (record,) = caplog.records
    assert f"pictures: 2{suffix}: of several pictures in one file, the first is read" in record.getMessage()


def test_damaged_animations_are_read_no_further(tmp_path: Path) -> None:
    for suffix in (".gif", ".png", ".webp"):
        data = animated(suffix)
        for length in range(0, len(data), 3):
            folders.is_animated(fill(tmp_path / "cut", **{f"a{suffix}": data[:length]}) / f"a{suffix}")


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.heic", HEIC, "a HEIC picture; convert it"),
        ("a.onnx", b"version https://git-lfs.github", "a Git LFS pointer; git lfs pull"),
        ("a.xyz", b"", "an empty file"),
    ],
)
def test_one_file_of_another_kind_is_named(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=rf"{name}: {message}.*Inputs are bags"):
        open_source(fill(tmp_path / "in", **{name: data}) / name)


def test_one_file_without_a_known_suffix_is_what_its_data_says(tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", **{"snapshot": JPEG, "frame.tmp": PNG})
    for name in ("snapshot", "frame.tmp"):
        assert open_source(folder / name).count == 1
    video = cv2.VideoWriter(str(folder / "a.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 20.0, (64, 48))
    for _ in range(3):
        video.write(np.zeros((48, 64, 3), np.uint8))
    video.release()
    assert open_source((folder / "a.avi").rename(folder / "drive")).count == 3
