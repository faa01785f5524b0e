"""The check of a data set, whichever task it is of, and its command."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.training.checks import run
from training.check import Kind, check, in_brief, require_sound
from training.datasets.images import DataError
from training.fit import report_data
from training.segmentation.data import MaskData
from training.signs.data import SignData, read
from training.split import split_by_track


def test_healthy_data_may_be_trained_on(class_folders: Path, camvid: Path, background: Path) -> None:
    assert check(class_folders, background=background) == []
    require_sound(SignData(str(class_folders), background=str(background), hold_out=("red",)))
    require_sound(MaskData(str(camvid)))
    assert {problem.kind for problem in check(camvid)} == {Kind.ABSENT}  # drawn with sky and road only


def test_the_split_that_is_trained_with_decides(class_folders: Path) -> None:
    train, val = split_by_track(read(class_folders).images, val_fraction=0.3, seed=5)
    by_class = {image.class_id: image.path for image in train}
    shutil.copy(by_class[val[0].class_id], val[0].path)
    with pytest.raises(DataError, match="training and validation") as refused:
        require_sound(SignData(str(class_folders), val_fraction=0.3, seed=5))
    assert "--val_fraction 0.3 --seed 5 lists everything" in str(refused.value)
    assert "training and validation" in run(class_folders, "--val_fraction", "0.3", "--seed", "5").stdout


def test_what_is_meant_for_the_other_task_or_missing_is_said(class_folders: Path, camvid: Path) -> None:
    with pytest.raises(DataError, match=r"no layout of masks.*signs\.yaml"):
        require_sound(MaskData(str(class_folders)))
    with pytest.raises(DataError, match=r"holds masks.*segnet\.yaml"):
        require_sound(SignData(str(camvid)))
    for data in (SignData("nowhere"), MaskData("nowhere")):
        with pytest.raises(DataError, match="no folder nowhere"):
            require_sound(data)


def test_masks_are_not_taken_for_signs(camvid: Path) -> None:
    with pytest.raises(DataError, match="holds masks"):
        require_sound(SignData(str(camvid)))


def test_options_of_signs_are_refused_for_masks(camvid: Path, background: Path) -> None:
    with pytest.raises(DataError, match="--background"):
        check(camvid, background=background)


def test_the_command_says_it_briefly(class_folders: Path) -> None:
    for number in range(12):
        (class_folders / "red" / f"{number}.png").write_bytes(b"")
    done = run(class_folders)
    assert done.returncode == 1
    assert "unreadable pictures (12)" in done.stdout
    assert "red/0.png" in done.stdout and "and 2 more" in done.stdout
    assert done.stderr.count("\n") == 1 and "12 errors" in done.stderr
    assert "more" not in run(class_folders, "--all").stdout


def test_what_was_understood_and_passed_over_is_said_once(
    class_folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"{class_folders}: signs: 3 classes (blue, green, red), 60 pictures" in run(class_folders).stdout
    data = SignData(str(class_folders))
    report_data(data, require_sound(data))
    assert capsys.readouterr().out == f"{class_folders}: signs: 3 classes (blue, green, red), 60 pictures\n"
    for name in ("red/a.HEIC", "red/b.psd", "red/Thumbs.db", "red/._0.png"):
        (class_folders / name).write_bytes(b"")
    (class_folders / "red" / "1.png").rename(class_folders / "red" / "1.PNG")
    for junk in (".ipynb_checkpoints", "__MACOSX"):
        shutil.copytree(class_folders / "red", class_folders / junk)
    report_data(data, require_sound(data))
    said = capsys.readouterr().out.splitlines()
    assert said[1:] == [
        "warning: files that go unused: red/a.HEIC and 1 more",
        "python -m training check lists them all",
    ]


def test_a_folder_is_named_with_what_is_wrong_there(camvid: Path) -> None:
    """The name of a part, such as train, says too little."""
    (line,) = in_brief([problem for problem in check(camvid) if problem.kind is Kind.ABSENT], camvid)
    assert line.startswith("warning: classes that never occur: train: ") and "no pixel in train" in line


def test_warnings_alone_pass(gtsrb: Path, tmp_path: Path) -> None:
    done = run(shutil.copytree(gtsrb / "GTSRB", tmp_path / "signs [v2]"))
    assert done.returncode == 0, done.stderr
    assert "signs [v2]: no errors, 40 warnings" in done.stdout
