"""Crops of signs: their split, their flips, and what a net learns from."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.datasets.images import DataError
from training.signs import data as signs
from training.split import split_by_track


def test_a_data_set_larger_than_memory_is_refused_before_it_is_read(
    class_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.datasets.tensors.free", lambda: 1e6)
    with pytest.raises(DataError, match=r"take 1\.\d GB of memory, and 0\.0 GB are free; lower --data\.size"):
        signs.SignData(str(class_folders), size=3000).setup()


def test_a_split_that_is_none_is_refused(class_folders: Path) -> None:
    for share in (0.0, 1.0, -0.1):
        with pytest.raises(DataError, match="expected a share between 0 and 1"):
            split_by_track(signs.read(class_folders).images, val_fraction=share, seed=0)
    with pytest.raises(DataError, match="all classes but red are held out"):
        signs.without(signs.read(class_folders), ("blue", "green"))


def test_class_folders_take_their_names_and_never_flip(class_folders: Path) -> None:
    found = signs.read(class_folders)
    assert found.labels == ("blue", "green", "red")
    assert len(found.images) == 60
    assert signs.flip_table(found).tolist() == [-1, -1, -1, 3]  # background alone may


def test_own_classes_flip_as_their_table_says(class_folders: Path) -> None:
    (class_folders / "flips.json").write_text('{"red": "red", "blue": "green", "green": "blue"}')
    assert signs.flip_table(signs.read(class_folders)).tolist() == [1, 0, 2, 3]
    (class_folders / "flips.json").write_text('{"red": "rot"}')
    with pytest.raises(DataError, match=r"flips\.json: there is no class 'rot'"):
        signs.read(class_folders)


def test_split_keeps_tracks_together_and_classes_on_both_sides(gtsrb: Path) -> None:
    train, val = split_by_track(signs.read(gtsrb).images, val_fraction=0.2, seed=0)
    assert not {image.track for image in train} & {image.track for image in val}
    assert {image.class_id for image in train} == {image.class_id for image in val} == {0, 1, 2}
    assert len(train) + len(val) == 60


def test_own_pictures_may_reach_around_the_sign(class_folders: Path) -> None:
    for margin, wanted in ((None, 0.0), (0.2, 0.2)):
        data = signs.SignData(str(class_folders), box_margin=margin)
        data.setup()
        assert data.signs.box_margin == wanted


def test_classes_held_out_become_signs_that_nobody_taught(gtsrb: Path) -> None:
    data = signs.SignData(str(gtsrb), size=16, hold_out=("Speed limit 30",))
    data.setup()
    assert "Speed limit 30" not in data.labels
    assert len(data.labels) == 42
    assert set(data.train.tensors[1].tolist()) == {0, 1}  # what was class 2 is class 1 now
    assert data.val.tensors[1].tolist().count(43) == 20
    with pytest.raises(DataError, match="no class 'Yield' to hold out"):
        signs.SignData(str(gtsrb), hold_out=("Yield",)).setup()


def test_a_last_classifier_may_learn_from_all_tracks(gtsrb: Path, background: Path) -> None:
    apart, together = (
        signs.SignData(str(gtsrb), background=str(background), size=16, train_on_val=seen)
        for seen in (False, True)
    )
    apart.setup()
    together.setup()
    assert len(together.train) == len(apart.train) + len(apart.val)
    assert together.train.tensors[1].bincount()[-1] == 8 * signs.PER_PICTURE
    assert len(together.val) == len(apart.val)


def test_rooms_teach_what_is_no_sign_and_validate_nothing(
    gtsrb: Path, background: Path, tmp_path: Path
) -> None:
    alone, with_rooms = (
        signs.SignData(str(gtsrb), background=str(background), rooms=rooms, size=16)
        for rooms in ((), (str(background), str(background)))
    )
    alone.setup()
    with_rooms.setup()
    pictures = len(list(background.glob("*.*g")))
    assert len(with_rooms.train) - len(alone.train) == 2 * pictures * signs.PER_PICTURE
    assert len(with_rooms.val) == len(alone.val)
    assert with_rooms.background_kept_aside == alone.background_kept_aside
    only = signs.SignData(str(gtsrb), rooms=(str(background),), size=16)
    only.setup()
    assert only.train.tensors[1].bincount()[43] == pictures * signs.PER_PICTURE
    with pytest.raises(DataError, match="nothing: cannot be listed"):
        signs.SignData(str(gtsrb), rooms=(str(tmp_path / "nothing"),), size=16).setup()


def test_long_drives_give_fewer_crops_a_frame() -> None:
    assert [signs.per_frame(n) for n in (0, 8, 300, 900, 10_000)] == [12, 12, 6, 2, 1]
