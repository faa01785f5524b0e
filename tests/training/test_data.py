"""Every layout that the documentation names is read; what cannot be read is named."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from perception.frames import resize
from training.augment import color_jitter
from training.datasets import camvid as camvid_reader
from training.datasets import folders, gtsdb
from training.datasets import gtsrb as gtsrb_reader
from training.datasets.images import DataError, MaskImage
from training.datasets.pictures import load_masks, read_bgr, read_mask
from training.segmentation import data as segmentation
from training.segmentation.augment import mix_classes, scale_crop_flip
from training.signs import data as signs
from training.signs.augment import SignAugment, coarsen, deform, haze, hide, jpeg, noise, weather
from training.split import require_same_split, split_by_track


def test_official_gtsrb(gtsrb: Path) -> None:
    found = signs.read(gtsrb)
    assert len(found.labels) == 43
    assert found.labels[14] == "Stop"
    assert len(found.images) == 60
    assert len({image.track for image in found.images}) == 15


def test_kaggle_gtsrb(tmp_path: Path) -> None:
    with (tmp_path / "Train.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Width", "Height", "Roi.X1", "Roi.Y1", "Roi.X2", "Roi.Y2", "ClassId", "Path"])
        writer.writerow([29, 30, 5, 6, 24, 25, 20, "Train/20/00020_00003_00007.png"])
        writer.writerow([29, 30, 5, 6, 24, 25, 20, "Train/20/00020_00003_00008.png"])
    first, second = signs.read(tmp_path).images
    assert first.class_id == 20
    assert first.path == tmp_path / "Train/20/00020_00003_00007.png"
    assert first.track == second.track


def test_gtsrb_given_from_within_keeps_its_tracks(gtsrb: Path) -> None:
    within = signs.read(gtsrb / "GTSRB" / "Final_Training" / "Images")
    assert within.labels[14] == "Stop"
    assert [image.track for image in within.images] == [image.track for image in signs.read(gtsrb).images]
    odd = gtsrb / "GTSRB" / "Final_Training" / "Images" / "00001" / "mine.png"
    cv2.imwrite(str(odd), np.zeros((20, 20, 3), np.uint8))
    with pytest.raises(DataError, match=r"mine\.png is not named as GTSRB's"):
        signs.read(gtsrb)


def test_gtsrb_in_folders_with_names_keeps_its_tracks(gtsrb: Path, class_folders: Path) -> None:
    """Frames of one sign on both sides would make validation read 100 %."""
    images = gtsrb / "GTSRB" / "Final_Training" / "Images"
    for path in (images / "00001").iterdir():
        path.rename(class_folders / "red" / path.name)
    for path in (images / "00002").iterdir():
        path.rename(class_folders / "red" / f"00002_{path.name}")  # as on Kaggle
    red = [image for image in signs.read(class_folders).images if image.path.parent.name == "red"]
    assert (len(red), len({image.track for image in red})) == (20 + 20 + 20, 20 + 5 + 5)


def test_numbered_classes_of_another_country_are_not_gtsrbs(gtsrb: Path) -> None:
    images = gtsrb / "GTSRB" / "Final_Training" / "Images"
    (images / "00002").rename(images / "00061")
    found = signs.read(images)
    assert found.labels == ("00000", "00001", "00061") and not found.flips
    assert len({image.track for image in found.images}) == 15  # of four frames each


def test_a_data_set_larger_than_memory_is_refused_before_it_is_read(
    class_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.datasets.pictures.free", lambda: 1e6)
    with pytest.raises(DataError, match=r"take 1\.\d GB of memory, and 0\.0 GB are free; lower --data\.size"):
        signs.SignData(str(class_folders), size=3000).setup()


def test_more_pixels_than_the_car_takes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    cv2.imwrite(str(path), np.zeros((9000, 8000), np.uint8))
    with pytest.raises(DataError, match=r"huge\.png cannot be read .* the limit is 64 megapixels"):
        read_bgr(path)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_more_than_8_bits_are_refused_and_not_read_as_night(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"deep{suffix}"
    cv2.imwrite(str(path), np.full((20, 30, 3), 2000, np.uint16))  # 12 bits in 16
    with pytest.raises(DataError, match="16 bits a channel; save it with 8"):
        read_bgr(path)


def test_folders_of_other_programs_are_no_classes(class_folders: Path) -> None:
    for name in (".thumbnails", "__MACOSX"):
        shutil.copytree(class_folders / "red", class_folders / name)
    shutil.copy(class_folders / "red" / "0.png", class_folders / "red" / "._0.png")
    found = signs.read(class_folders)
    assert found.labels == ("blue", "green", "red")
    assert len(found.images) == 60


def test_classes_in_a_folder_too_many_are_told_so(class_folders: Path, tmp_path: Path) -> None:
    for part in ("train", "val"):
        shutil.copytree(class_folders, tmp_path / "parts" / part)
    with pytest.raises(DataError, match=r"train holds no pictures but folders \(blue, …\)"):
        signs.read(tmp_path / "parts")


def test_names_that_are_not_utf8(class_folders: Path) -> None:
    latin = os.fsdecode("Straße".encode("latin-1"))
    shutil.copy(class_folders / "red" / "0.png", class_folders / "red" / f"{latin}.png")
    assert read_bgr(class_folders / "red" / f"{latin}.png").ndim == 3  # OpenCV alone would crash
    (class_folders / latin).mkdir()
    with pytest.raises(DataError, match="is not UTF-8; rename the folder"):
        signs.read(class_folders)


def test_more_classes_than_a_byte_can_name_are_refused(tmp_path: Path) -> None:
    for number in range(256):
        (tmp_path / f"class {number}").mkdir()
    with pytest.raises(DataError, match="a model can know 255 classes"):
        signs.read(tmp_path)


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


def test_an_empty_class_is_named(class_folders: Path) -> None:
    (class_folders / "yellow").mkdir()
    with pytest.raises(DataError, match="yellow"):
        signs.read(class_folders)


def test_split_keeps_tracks_together_and_classes_on_both_sides(gtsrb: Path) -> None:
    train, val = split_by_track(signs.read(gtsrb).images, val_fraction=0.2, seed=0)
    assert not {image.track for image in train} & {image.track for image in val}
    assert {image.class_id for image in train} == {image.class_id for image in val} == {0, 1, 2}
    assert len(train) + len(val) == 60


def test_background_touches_no_sign(background: Path) -> None:
    crops, pictures = gtsdb.background(background, size_hw=(16, 16), per_picture=5, seed=0)
    assert crops.shape == (40, 3, 16, 16)
    assert pictures.bincount().tolist() == [5] * 8
    (background / "gt.txt").write_text("00000.ppm;0;0;320;240;14\n")  # as GTSDB names them
    with pytest.raises(DataError, match="leave no room"):
        gtsdb.background(background, size_hw=(16, 16), per_picture=1, seed=0)


def test_a_data_set_that_changed_since_the_training_is_refused(class_folders: Path) -> None:
    began = signs.SignData(str(class_folders))
    began.setup()
    moved = signs.SignData(str(class_folders.rename(class_folders.with_name("moved"))))
    moved.setup()
    require_same_split(moved, {"kept_aside": began.kept_aside})
    require_same_split(moved, {})  # an older checkpoint
    folder = class_folders.with_name("moved")
    shutil.copy(folder / "blue" / "0.png", folder / "blue" / "20.png")
    changed = signs.SignData(str(folder))
    changed.setup()
    with pytest.raises(DataError, match="learnt from"):
        require_same_split(changed, {"kept_aside": began.kept_aside})


def test_validation_pictures_that_changed_since_the_training_are_refused(camvid: Path) -> None:
    began, changed = (segmentation.MaskData(str(camvid), size_hw=(24, 32)) for _ in range(2))
    began.setup()
    for part in ("", "annot"):  # a picture that trained validates now
        (camvid / f"train{part}" / "9.png").rename(camvid / f"val{part}" / "9.png")
    changed.setup()
    require_same_split(began, {"kept_aside": began.kept_aside})
    with pytest.raises(DataError, match="CamVid were added"):
        require_same_split(changed, {"kept_aside": began.kept_aside})


def test_background_that_changed_since_the_training_is_refused(class_folders: Path, background: Path) -> None:
    began, changed = (signs.SignData(str(class_folders), background=str(background)) for _ in range(2))
    began.setup()
    shutil.copy(background / "00001.jpg", background / "0.jpg")  # all move one place
    changed.setup()
    aside = {"background_kept_aside": began.background_kept_aside}
    require_same_split(began, aside)
    with pytest.raises(DataError, match="street were added"):
        require_same_split(changed, aside)


def test_own_pictures_may_reach_around_the_sign(class_folders: Path) -> None:
    for margin, wanted in ((None, 0.0), (0.2, 0.2)):
        data = signs.SignData(str(class_folders), box_margin=margin)
        data.setup()
        assert data.signs.box_margin == wanted


def test_another_data_set_in_camvids_layout_names_its_own_classes(
    camvid: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [{"name": name, "color": [0, 0, 9]} for name in ("Free", "Kerb", "Cone", "Lane")]
    (camvid / "classes.json").write_text(json.dumps(names))
    found = segmentation.read(camvid)
    assert found.labels == ("Free", "Kerb", "Cone", "Lane") and found.name == camvid.name
    assert found.ids[3] == 3 and found.ids[4] == found.ids[11] == 255
    monkeypatch.chdir(camvid)
    assert segmentation.read(Path()).name == camvid.name


def test_flips_change_the_class_or_do_not_happen() -> None:
    keep_right, keep_left, stop = 38, 39, 14
    table = torch.full((44,), -1)
    for class_id, mirrored in gtsrb_reader.FLIPS.items():
        table[class_id] = mirrored
    ids = torch.tensor([keep_right, stop] * 50)
    torch.manual_seed(0)
    _, changed = SignAugment()(torch.zeros(100, 3, 16, 16, dtype=torch.uint8), ids, table)
    assert set(changed[::2].tolist()) == {keep_right, keep_left}
    assert set(changed[1::2].tolist()) == {stop}


def test_deformed_signs_are_no_signs_and_the_others_stay_as_they_are() -> None:
    torch.manual_seed(0)
    frames = torch.randint(0, 256, (60, 3, 16, 16), dtype=torch.uint8)
    ids = torch.arange(60) % 3
    changed, new_ids = deform(frames, ids, p=0.5, no_sign=3)
    told = new_ids == 3
    differ = (changed != frames).flatten(1).any(dim=1)
    assert torch.equal(told, differ)
    assert 20 <= told.sum() <= 35  # blending two of one class changes nothing


def test_small_batches_get_every_kind_of_deformed_signs() -> None:
    torch.manual_seed(0)
    frames = torch.randint(0, 256, (4, 3, 16, 16), dtype=torch.uint8)
    kinds = {"as it was": 0, "negative": 0, "shifted": 0, "blended": 0}
    for _ in range(500):
        changed, ids = deform(frames, torch.arange(4), p=0.3, no_sign=4)
        for one, was in zip(changed[ids == 4], frames[ids == 4]):
            is_moved = torch.equal(one.flatten().sort().values, was.flatten().sort().values)
            kinds["negative" if torch.equal(one, 255 - was) else "shifted" if is_moved else "blended"] += 1
        kinds["as it was"] += int((ids < 4).sum())
    assert kinds.pop("as it was") == pytest.approx(0.7 * 2000, rel=0.1)
    assert all(count == pytest.approx(0.1 * 2000, rel=0.25) for count in kinds.values()), kinds


def test_what_hides_a_sign_leaves_most_of_the_pictures_alone() -> None:
    torch.manual_seed(0)
    frames = torch.rand(400, 3, 16, 16)
    for spoil in (haze, hide, weather, coarsen, noise, jpeg):
        scale = 255.0 if spoil is jpeg else 1.0
        spoilt = spoil(frames * scale, p=0.25) / scale
        changed = (spoilt - frames).flatten(1).abs().amax(dim=1) > 0.02
        assert 0.1 < changed.float().mean() < 0.35, spoil.__name__
        assert 0.0 <= spoilt.min() <= spoilt.max() <= 1.0


def test_fog_is_thicker_here_than_there() -> None:
    torch.manual_seed(0)
    frames = torch.full((400, 3, 16, 16), 0.5)
    frames[..., ::2] = 0.0
    contrast = (haze(frames, p=1.0).diff(dim=-1).abs() / 0.5)[:, 0]  # 1 where nothing is in the way
    uneven = contrast.flatten(1).amax(dim=1) - contrast.flatten(1).amin(dim=1)
    assert 0.15 < uneven.median() < 0.5


def test_without_spoiling_a_crop_loses_nothing_but_place_and_light() -> None:
    torch.manual_seed(0)
    frames = torch.full((64, 3, 16, 16), 100, dtype=torch.uint8)
    ids, table = torch.zeros(64, dtype=torch.long), torch.tensor([-1])
    even = {
        spoil: SignAugment(spoil)(frames, ids, table)[0][..., 4:12, 4:12].std(dim=(2, 3)).amax(dim=1) < 0.5
        for spoil in (0.0, 2.0)
    }
    assert even[0.0].all()
    assert even[2.0].float().mean() < 0.3


def test_color_jitter_keeps_black_and_the_range() -> None:
    torch.manual_seed(0)
    frames = torch.rand(32, 3, 8, 8)
    frames[0] = 0.0
    changed = color_jitter(frames, brightness=2.0, contrast=1.5, saturation=1.5, tint=0.1)
    assert 0.0 <= changed.min() <= changed.max() <= 1.0
    assert not changed[0].any()
    assert (changed[1:] - frames[1:]).abs().mean() > 0.05


def test_things_of_another_picture_come_with_their_labels() -> None:
    torch.manual_seed(0)
    ids = torch.randint(0, 4, (8, 12, 16))
    ids[:, 0] = 255
    shades = (ids + 10 * torch.arange(8).view(8, 1, 1))[:, None].float()  # tell class and picture
    frames, mixed = mix_classes(shades, ids, p=0.5)
    own = frames == shades
    assert torch.equal(frames, torch.where(own, shades, shades.roll(1, dims=0)))
    assert torch.equal(mixed, torch.where(own[:, 0], ids, ids.roll(1, dims=0)))
    assert own[:, 0, 0].all()  # an unlabelled pixel is laid over nothing
    whole = own.flatten(1).all(dim=1)
    assert 0 < whole.sum() < 8
    unchanged, _ = mix_classes(shades, ids, p=0.0)
    assert torch.equal(unchanged, shades)


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


def test_flips_are_their_own_inverse() -> None:
    assert all(gtsrb_reader.FLIPS[mirrored] == class_id for class_id, mirrored in gtsrb_reader.FLIPS.items())


def test_camvid(camvid: Path) -> None:
    found = segmentation.read(camvid)
    assert found.labels[3] == "Road"
    assert (len(found.train), len(found.val)) == (16, 4)
    assert found.ids[11] == 255  # void


def test_a_last_model_may_learn_from_the_validation_pictures(camvid: Path) -> None:
    apart, together = (segmentation.MaskData(str(camvid), train_on_val=seen) for seen in (False, True))
    apart.setup()
    together.setup()
    assert len(together.train) == len(apart.train) + len(apart.val)
    assert len(together.val) == len(apart.val)


def test_cityscapes_maps_label_ids_to_its_19_classes(cityscapes: Path) -> None:
    data = segmentation.MaskData(str(cityscapes), size_hw=(4, 6))
    data.setup()
    assert len(data.labels) == 19
    assert data.val.tensors[1][0, 0].tolist() == [0, 10, 255, 0, 0, 0]


def test_own_classes_in_cityscapes_layout_are_refused(cityscapes: Path) -> None:
    (cityscapes / "classes.json").write_text("[]")
    with pytest.raises(DataError, match=r"classes\.json: .* put the pictures into \{train,val\}/images"):
        segmentation.read(cityscapes)


def test_own_masks(mask_folders: Path) -> None:
    data = segmentation.MaskData(str(mask_folders), size_hw=(4, 6))
    data.setup()
    assert data.labels == ("Free", "Kerb")
    assert data.palette == ((0, 255, 0), (255, 0, 0))
    assert data.val.tensors[1][0, 0].tolist() == [0, 1, 255, 0, 1, 255]
    assert data.pixel_shares().tolist() == [0.5, 0.5]


def test_a_missing_mask_is_named(mask_folders: Path) -> None:
    (mask_folders / "train" / "masks" / "a.png").unlink()
    with pytest.raises(DataError, match=r"a\.jpg"):
        folders.read_masks(mask_folders)


def test_a_broken_picture_is_named(camvid: Path) -> None:
    (camvid / "train" / "0.png").write_bytes(b"not a picture")
    data = segmentation.MaskData(str(camvid))
    with pytest.raises(DataError, match=r"0\.png"):
        data.setup()


def test_no_data_set_at_all(tmp_path: Path) -> None:
    for read in (segmentation.read, signs.read):
        with pytest.raises(DataError, match="no folder"):
            read(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"classes\.json"):
        segmentation.read(tmp_path)
    with pytest.raises(DataError, match="class folders"):
        signs.read(tmp_path)
    with pytest.raises(DataError, match=r"Train\.csv"):
        gtsrb_reader.read(tmp_path)


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_crops_keep_picture_and_mask_together(scale: float) -> None:
    mask = torch.zeros(60, 80, dtype=torch.uint8)
    mask[:, 40:] = 1
    frame = (mask * 200).expand(3, -1, -1).contiguous()
    rng = np.random.default_rng(0)
    for _ in range(10):
        crop, labels = scale_crop_flip(frame, mask, (48, 64), scale=(scale, scale), rng=rng)
        assert crop.shape == (3, 48, 64)
        assert labels.shape == (48, 64)
        counted = labels != 255
        agree = (crop[0] > 100) == (labels == 1)
        assert agree[counted].float().mean() > 0.95
        assert bool(counted.all()) == (scale == 2.0)


@pytest.mark.parametrize("scale", [0.7, 1.3, 1.7])
@pytest.mark.parametrize("axis", ["rows", "columns"])
def test_crops_shift_the_mask_by_no_fraction_of_a_pixel(scale: float, axis: str) -> None:
    rows, columns = torch.meshgrid(torch.arange(60), torch.arange(80), indexing="ij")
    mask = (3 * (rows if axis == "rows" else columns)).to(torch.uint8)  # ids that tell the place
    frame = mask.expand(3, -1, -1).contiguous()
    rng = np.random.default_rng(0)
    shifts = []
    for _ in range(10):
        crop, labels = scale_crop_flip(frame, mask, (40, 40), scale=(scale, scale), rng=rng)
        shifts.append((labels.float() - crop[0].float()) / 3 * scale)
    assert abs(float(torch.stack(shifts).mean())) < 0.1


def test_masks_of_another_size_are_read_without_a_shift(tmp_path: Path) -> None:
    columns = np.tile(np.arange(0, 240, 3, dtype=np.uint8), (60, 1))
    cv2.imwrite(str(tmp_path / "mask.png"), columns)
    image = MaskImage(path=tmp_path / "frame.png", mask_path=tmp_path / "mask.png")
    mask = load_masks([image], (45, 61), np.arange(256, dtype=np.uint8))[0].numpy()
    frame = resize(np.dstack([columns] * 3), (45, 61))[:, :, 0]
    assert abs(float(np.mean(mask.astype(float) - frame))) / 3 * 61 / 80 < 0.1


def test_camvid_has_the_eleven_classes_of_the_paper() -> None:
    assert len(camvid_reader.CLASSES) == 11


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        ([("Road", [300, 0, 0]), ("Kerb", [0, 0, 0])], r"color of 'Road' is \[300, 0, 0\]"),
        ([("Road", [0.5, 0.5, 0.5]), ("Kerb", [0, 0, 0])], "expected 0 to 255"),
        ([("Road", [0, 0, 0]), ("Road", [9, 9, 9])], "'Road' stands there twice"),
        ([(f"class {k}", [k % 256, 0, 0]) for k in range(256)], "a model can know 255"),
    ],
)
def test_descriptions_that_no_model_could_hold_are_refused(
    mask_folders: Path, classes: list[tuple[str, list[float]]], said: str
) -> None:
    entries = [{"name": name, "color": color} for name, color in classes]
    (mask_folders / "classes.json").write_text(json.dumps(entries))
    with pytest.raises(DataError, match=said):
        segmentation.read(mask_folders)


def test_label_images_of_less_than_a_byte_a_pixel_are_refused(tmp_path: Path) -> None:
    # OpenCV reads the ones as 255, which would not count.
    path = tmp_path / "mask.png"
    cv2.imwrite(str(path), np.eye(8, dtype=np.uint8) * 255, [cv2.IMWRITE_PNG_BILEVEL, 1])
    with pytest.raises(DataError, match=r"mask\.png holds 1-bit values"):
        read_mask(path, np.arange(256, dtype=np.uint8))


def test_label_images_may_end_in_capitals(mask_folders: Path) -> None:
    mask = mask_folders / "train" / "masks" / "a.png"
    mask.rename(mask.with_suffix(".PNG"))
    assert segmentation.read(mask_folders).train[0].mask_path.suffix == ".PNG"
