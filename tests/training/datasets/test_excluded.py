"""A list leaves pictures out of training, and nothing else changes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.training.fits import fit_here
from training.check import Kind, check
from training.datasets.excluded import Excluded
from training.datasets.images import DataError, MaskImage
from training.detection.data import BoxData
from training.run import NAME, read_run
from training.segmentation.data import MaskData
from training.signs.data import SignData
from training.signs.task import SignTask


def listed(folder: Path, *lines: str) -> str:
    path = folder / "exclude.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def images(root: Path, *names: str) -> list[MaskImage]:
    return [MaskImage(root / name, root / "masks" / name) for name in names]


def test_remarks_and_blank_lines_are_no_pictures(tmp_path: Path) -> None:
    there = images(tmp_path, "a b.png", "#2.png", "c.png", "d.png")
    file = listed(tmp_path, "# c.png", "", "a b.png ", "./#2.png", "d.png")
    excluded = Excluded.read(file, tmp_path, there)
    assert [image.path.name for image in excluded.rest(there)] == ["c.png"]
    assert len(excluded) == 3
    assert Excluded.read(None, tmp_path, there).rest(there) == there


def test_what_is_not_there_is_named_with_its_line(tmp_path: Path) -> None:
    file = listed(tmp_path, "a.png", "gone/b.png")
    with pytest.raises(DataError, match=r"exclude\.txt, line 2: gone/b\.png is no picture of"):
        Excluded.read(file, tmp_path, images(tmp_path, "a.png"))
    with pytest.raises(DataError, match=r"missing\.txt cannot be read"):
        Excluded.read(tmp_path / "missing.txt", tmp_path, [])


def test_a_part_without_pictures_is_refused(tmp_path: Path) -> None:
    there = images(tmp_path, "a.png", "b.png")
    excluded = Excluded.read(listed(tmp_path, "a.png", "b.png"), tmp_path, there)
    with pytest.raises(DataError, match=r"exclude\.txt leaves out all of 2 pictures"):
        excluded.rest(there)
    assert excluded.rest([]) == []


def test_signs_are_split_as_without_the_list(gtsrb: Path) -> None:
    whole = SignData(str(gtsrb), size=16)
    whole.setup()
    folder = gtsrb / "GTSRB" / "Final_Training" / "Images"
    names = [str(path.relative_to(gtsrb)) for path in sorted(folder.glob("00001/0000?_00000.jpg"))]
    rest = SignData(str(gtsrb), size=16, exclude=listed(gtsrb, *names))
    rest.setup()
    assert len(names) == 5
    assert rest.kept_aside == whole.kept_aside
    assert whole.val is not None and rest.val is not None
    assert (len(rest.train), len(rest.val)) == (len(whole.train) - 4, len(whole.val) - 1)


def test_masks_and_boxes_are_left_out(camvid: Path, tmp_path: Path, background: Path) -> None:
    masks = MaskData(str(camvid), size_hw=(32, 32), exclude=listed(tmp_path, "train/3.png", "val/0.png"))
    masks.setup()
    assert masks.val is not None
    assert (len(masks.train), len(masks.val)) == (15, 3)
    boxes = BoxData(str(background), size_hw=(160, 192), exclude=listed(tmp_path, "00000.jpg", "00005.jpg"))
    boxes.setup()
    assert [image.path.stem for image in boxes.train.images] == ["00001", "00002", "00003", "00006", "00007"]


def test_what_a_list_leaves_out_is_no_error_of_the_check(camvid: Path, tmp_path: Path) -> None:
    (camvid / "train" / "0.png").write_bytes((camvid / "val" / "0.png").read_bytes())
    assert Kind.LEAK in [one.kind for one in check(camvid)]
    rest = check(camvid, exclude=listed(tmp_path, "train/0.png"))
    assert {one.severity for one in rest} == {"warning"}


def test_the_record_of_a_training_says_how_many(
    class_folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("enough")

    monkeypatch.setattr(SignTask, "training_step", fail)
    file = listed(tmp_path, "red/1.png", "blue/2.png")
    options = (f"--data.root={class_folders}", "--data.size=32", f"--data.exclude={file}")
    with pytest.raises(ValueError, match="enough"):
        fit_here("signs", tmp_path, *options)
    (found,) = tmp_path.rglob(NAME)
    run = read_run(found)
    assert (run.data.excluded, run.data.train + run.data.val) == (2, 58)
    assert json.loads(found.read_text())["config"]["data"]["init_args"]["exclude"] == file
