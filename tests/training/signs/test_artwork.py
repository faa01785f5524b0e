"""Artwork becomes a training set: signs are told from paper, rendered as printed, and learnt from."""

from __future__ import annotations

import itertools
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import perception
from tests.training.fits import fit_here
from tests.training.signs import drawn
from training.__main__ import main
from training.check import check
from training.datasets.images import DataError
from training.signs import artwork, camera, from_artwork, printed, scenes
from training.signs.data import SignData, read

THREE = ("no_entry", "parking", "stop")


def save_pdf(path: Path, pictures: list[np.ndarray]) -> Path:
    """A PDF with a page for each picture, in the middle of much paper."""
    pages = [np.pad(p, ((300, 300), (100, 100), (0, 0)), constant_values=255) for p in pictures]
    first, *others = (Image.fromarray(page[..., ::-1]) for page in pages)
    first.save(path, save_all=True, append_images=others)
    return path


def mask_at(one: artwork.Artwork, x: float, y: float) -> int:
    """The mask at a share of width and height."""
    height, width = one.mask.shape
    return int(one.mask[round(y * (height - 1)), round(x * (width - 1))])


def test_a_sign_is_cut_out_of_its_paper(tmp_path: Path) -> None:
    drawn.write_signs(tmp_path / "art")
    signs = artwork.read(tmp_path / "art")
    assert tuple(sign.label for sign in signs) == drawn.LABELS
    by_label = {sign.label: sign for sign in signs}
    for sign in signs:
        assert max(sign.face.shape[:2]) == artwork.SIDE and sign.is_cut
        assert not artwork.may_be_several(sign)
    limit = by_label["speed limit 30"]
    assert [mask_at(limit, *at) for at in ((0.0, 0.0), (1.0, 1.0))] == [0, 0]
    # The white within the ring is the sign's, and the ring begins at the picture's edge.
    assert mask_at(limit, 0.5, 0.2) == 255 and mask_at(limit, 0.02, 0.5) == 255
    assert limit.face[128, 6, 2] > 180 and limit.face[128, 6, 0] < 60
    assert by_label["one way"].face.shape[:2] == (117, 256)  # no paper around it, and not squeezed


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_transparency_is_the_outline(tmp_path: Path, suffix: str) -> None:
    drawn.write_signs(tmp_path / "art", ("stop",))
    white = np.full((80, 80, 4), 255, np.uint8)  # which nothing tells from paper
    white[:10] = white[-10:] = white[:, :10] = white[:, -10:] = (0, 200, 0, 0)
    white[30:50, 30:50] = (0, 0, 0, 0)  # a hole, through which the paper shows
    cv2.imwrite(str(tmp_path / "art" / f"white{suffix}"), white, [cv2.IMWRITE_WEBP_QUALITY, 101])
    sign = artwork.read(tmp_path / "art")[1]
    assert (sign.mask == 255).all() and (sign.face > 240).all()


def test_a_drawing_without_an_outline_stays_on_its_card(tmp_path: Path) -> None:
    picture = drawn.paper()
    cv2.arrowedLine(picture, (30, 120), (200, 120), drawn.BLACK, 12, tipLength=0.5)
    sign = artwork.separate("arrow", picture, tmp_path / "arrow.png")
    assert not sign.is_cut
    for number in range(20):
        print_ = printed.print_out(sign, np.random.default_rng(number))
        assert print_.levels[0][..., 3].min() == 1.0


def test_specks_and_grey_paper_are_no_sign(tmp_path: Path) -> None:
    scan = cv2.copyMakeBorder(drawn.stop(), 200, 200, 200, 200, cv2.BORDER_CONSTANT, value=(238, 244, 246))
    scan[50:53, 50:53] = 0
    scan[-40:-38, 300:305] = (20, 20, 200)
    sign = artwork.separate("stop", scan, tmp_path / "stop.png")
    assert sign.face.shape == (artwork.SIDE, artwork.SIDE, 3)
    assert mask_at(sign, 0.0, 0.0) == 0 and mask_at(sign, 0.5, 0.02) == 255


def test_a_picture_that_the_sign_fills_is_a_card(tmp_path: Path) -> None:
    sign = artwork.separate("parking", drawn.parking()[20:220, 20:220], tmp_path / "p.png")
    assert sign.is_cut and (sign.mask == 255).all()


def test_pages_of_a_pdf_are_signs(tmp_path: Path) -> None:
    sheet = save_pdf(tmp_path / "cup_2026.pdf", [drawn.SIGNS[name] for name in THREE])
    signs = artwork.read(sheet)
    assert [sign.label for sign in signs] == ["cup 2026 1", "cup 2026 2", "cup 2026 3"]
    drawn.write_signs(tmp_path / "art", THREE)
    for page, picture in zip(signs, artwork.read(tmp_path / "art")):
        assert page.face.shape == pytest.approx(picture.face.shape, abs=2)
        same = cv2.resize(page.face, picture.face.shape[1::-1])
        assert np.abs(same.astype(int) - picture.face).mean() < 8
    without_cover = artwork.read(sheet, ["-", "a", "b"])
    assert [sign.label for sign in without_cover] == ["a", "b"]
    assert np.array_equal(without_cover[0].face, signs[1].face)
    (tmp_path / "names.txt").write_text("no entry\n\nParking\nStop\n", encoding="utf-16")
    names = [str(tmp_path / "names.txt")]
    assert [sign.label for sign in artwork.read(sheet, names)] == ["no entry", "Parking", "Stop"]
    shutil.copy(sheet, tmp_path / "art" / "more.PDF")
    labels = [sign.label for sign in artwork.read(tmp_path / "art")]
    assert labels == ["more 1", "more 2", "more 3", "no entry", "parking", "stop"]
    with pytest.raises(DataError, match="6 pictures and pages, and --names has 2 names"):
        artwork.read(tmp_path / "art", ["a", "b"])


def test_several_signs_in_one_picture_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(from_artwork, "BACKGROUND", 10)
    drawn.write_signs(tmp_path / "art", ("stop",))
    cv2.imwrite(str(tmp_path / "art" / "sheet.png"), np.hstack([drawn.parking(), drawn.no_entry()]))
    assert main(["signs-from-artwork", str(tmp_path / "art"), str(tmp_path / "out"), "--crops", "20"]) == 0
    (warning,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("warning: "))
    assert "sheet.png seems to show several signs" in warning and "cut them apart" in warning


def spoil_nothing(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def spoil_blank(folder: Path) -> None:
    cv2.imwrite(str(folder / "blank.png"), drawn.paper())


def spoil_tiny(folder: Path) -> None:
    picture = drawn.paper()
    picture[100:108, 100:130] = 0
    cv2.imwrite(str(folder / "tiny.png"), picture)


def spoil_damaged(folder: Path) -> None:
    (folder / "stop.png").write_bytes((folder / "stop.png").read_bytes()[:300])


def spoil_pdf(folder: Path) -> None:
    (folder / "sheet.pdf").write_bytes(b"%PDF-1.4\nnothing else")


def spoil_svg(folder: Path) -> None:
    (folder / "give_way.svg").write_text("<svg/>")


def spoil_twice(folder: Path) -> None:
    cv2.imwrite(str(folder / "Stop.jpg"), drawn.stop())


def spoil_same(folder: Path) -> None:
    shutil.copy(folder / "no_entry.png", folder / "yield.png")


def spoil_single(folder: Path) -> None:
    for name in THREE[1:]:
        (folder / f"{name}.png").unlink()


@pytest.mark.parametrize(
    ("spoil", "wanted"),
    [
        (spoil_nothing, ("no pictures", "put one picture of each sign there")),
        (spoil_blank, ("blank.png", "nothing but paper", "replace it")),
        (spoil_tiny, ("tiny.png", "30x8 px", "16 px at least")),
        (spoil_damaged, ("stop.png", "cannot be read as a picture")),
        (spoil_pdf, ("sheet.pdf", "cannot be read as a PDF", "save it anew")),
        (spoil_svg, ("give_way.svg", "is an SVG", "as PNG")),
        (spoil_twice, ("Stop.jpg", "stop.png", "another name")),
        (spoil_single, ("one sign at most (no entry)", "add another")),
        (spoil_same, ("no_entry.png", "yield.png", "show the same", "take one out")),
    ],
)
def test_artwork_that_cannot_be_used_is_named_with_the_remedy(
    spoil: object, wanted: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn.write_signs(tmp_path / "art", THREE)
    assert callable(spoil)
    spoil(tmp_path / "art")
    assert main(["signs-from-artwork", str(tmp_path / "art"), str(tmp_path / "out")]) == 1
    line = capsys.readouterr().err
    assert line.startswith("python -m training signs-from-artwork: ") and line.count("\n") == 1
    assert all(part in line for part in wanted), line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("names", [["a", "b/c", "d"], ["a", "..", "d"], ["a", "", "d"], ["a", "b", "A "]])
def test_names_that_no_folders_can_have_are_refused(names: list[str], tmp_path: Path) -> None:
    drawn.write_signs(tmp_path / "art", THREE)
    with pytest.raises(DataError, match="another name"):
        artwork.read(tmp_path / "art", names)


def test_wrong_paths_and_options_are_named(tmp_path: Path) -> None:
    art = drawn.write_signs(tmp_path / "art", THREE)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "note.txt").write_text("mine")
    (tmp_path / "empty").mkdir()
    out = tmp_path / "out"
    with pytest.raises(DataError, match=r"none does not exist; give a folder"):
        from_artwork.make(tmp_path / "none", out)
    with pytest.raises(DataError, match=r"stop\.png is one file and no PDF"):
        from_artwork.make(art / "stop.png", out)
    with pytest.raises(DataError, match="full holds something already"):
        from_artwork.make(art, tmp_path / "full")
    with pytest.raises(DataError, match="empty has no pictures of background"):
        from_artwork.make(art, out, backgrounds=tmp_path / "empty")
    with pytest.raises(DataError, match="--crops is 4; expected 20 at least"):
        from_artwork.make(art, out, crops=4)
    with pytest.raises(DataError, match=r"there is no file names\.txt"):
        from_artwork.make(art, out, names=["names.txt"])
    assert not out.exists()


def test_the_data_set_is_one_that_check_and_fit_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    art, out = drawn.write_signs(tmp_path / "art", THREE), tmp_path / "out"
    assert main(["signs-from-artwork", str(art), str(out), "--crops", "40"]) == 0
    told = capsys.readouterr().out
    assert "120 crops of no entry, parking, stop" in told and f"--data.root {out}" in told
    assert check(out, background=out / "background", val_fraction=0.2) == []
    signs = read(out)
    assert signs.labels == ("no entry", "parking", "stop") and signs.box_margin == printed.MARGIN
    assert {len([i for i in signs.images if i.part == part]) for part in ("train", "val")} == {24, 96}
    # Four crops of one print before one scene are one track, so they are on one side.
    tracks = {(image.track, image.part) for image in signs.images}
    assert len(tracks) == 30 and len({track for track, _ in tracks}) == 30
    data = SignData(str(out), background=str(out / "background"), size=32, val_fraction=0.2)
    data.setup()
    assert len(data.train) == 96 + 12 * 120 and data.val is not None and len(data.val) == 24 + 12 * 30


def pictures_of(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*.png")}


def test_the_same_seed_makes_the_same_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(from_artwork, "BACKGROUND", 10)
    two = drawn.write_signs(tmp_path / "two", THREE[:2])
    three = drawn.write_signs(tmp_path / "three", THREE)
    from_artwork.make(two, tmp_path / "a", crops=20)
    from_artwork.make(two, tmp_path / "b", crops=20)
    from_artwork.make(three, tmp_path / "more", crops=20)
    from_artwork.make(two, tmp_path / "other", crops=20, seed=1)
    a, b, more, other = (pictures_of(tmp_path / name) for name in ("a", "b", "more", "other"))
    assert a == b
    assert a.items() <= more.items()  # another class leaves the pictures of these as they were
    assert not a.items() & other.items()


def test_crops_show_the_sign_in_all_sizes_and_lights(tmp_path: Path) -> None:
    sign = artwork.separate("stop", drawn.stop(), tmp_path / "stop.png")
    rng = np.random.default_rng(0)
    crops = list(
        itertools.chain.from_iterable(from_artwork.frames_of(sign, scenes.scene(rng), rng) for _ in range(60))
    )
    # The crops of validation have no sign that nobody could read.
    near = from_artwork.frames_of(sign, scenes.scene(rng), rng, sizes=from_artwork.VALIDATED)
    assert min(max(crop.shape[:2]) for crop in near) >= 16
    sides = sorted(max(crop.shape[:2]) for crop in crops)
    assert min(min(crop.shape[:2]) for crop in crops) >= 8
    assert sides[0] < 15 and 20 < sides[len(sides) // 2] < 45 and 70 < sides[-1] < 130
    light = sorted(float(crop.mean()) for crop in crops)
    assert light[0] < 40 and light[-1] > 150
    middles = np.array([cv2.resize(crop, (9, 9), interpolation=cv2.INTER_AREA)[2:7, 2:7] for crop in crops])
    blue, green, red = middles.reshape(-1, 25, 3).mean(axis=1).T
    assert np.mean((red > green) & (red > blue)) > 0.95  # whatever the light, it is a red sign


def test_a_far_sign_is_averaged_and_not_sampled(tmp_path: Path) -> None:
    """A checkered sign is grey from afar, whatever the pose."""
    checks = (np.indices((256, 256)).sum(axis=0) % 2 * 255).astype(np.uint8)
    face = np.repeat(checks[..., None], 3, axis=2)
    sign = artwork.Artwork("checks", face, np.full((256, 256), 255, np.uint8), True, tmp_path)
    grey = np.full((*scenes.SIZE_HW, 3), 128, np.uint8)
    for number in range(10):
        rng = np.random.default_rng(number)
        seen, per_px = printed.shot(printed.print_out(sign, rng), grey, PLAIN, 12.0, rng)
        height, width = seen.shape[:2]
        inner = seen[height * 3 // 8 : height * 5 // 8, width * 3 // 8 : width * 5 // 8]
        assert per_px > 2 and inner.std() < 0.2


PLAIN = printed.Light(np.ones(3), 1.0, 1.0, np.zeros(2), np.zeros(4), np.array([0, 0, 0.3, 1.0]))


def shot(light: printed.Light, *, gloss: float = 0.0) -> np.ndarray:
    """One shot of a grey disc before a grey wall; only the light differs."""
    side = np.arange(256) - 128
    disc = np.where(np.hypot(side, side[:, None]) < 127, 255, 0).astype(np.uint8)
    sign = artwork.Artwork("disc", np.full((256, 256, 3), 90, np.uint8), disc, True, Path("disc.png"))
    rng = np.random.default_rng(4)
    print_ = replace(printed.print_out(sign, rng), gloss=gloss)
    wall = np.full((*scenes.SIZE_HW, 3), 60, np.uint8)
    seen, _ = printed.shot(print_, wall, light, 60.0, rng)
    return seen


def middle(seen: np.ndarray) -> np.ndarray:
    height, width = seen.shape[:2]
    return seen[height // 2 - 4 : height // 2 + 4, width // 2 - 4 : width // 2 + 4].mean(axis=(0, 1))


def test_light_falls_on_sign_and_scene() -> None:
    plain = shot(PLAIN)
    bright_wall = shot(replace(PLAIN, behind=2.0))
    assert np.allclose(middle(bright_wall), middle(plain))
    assert np.allclose(bright_wall[0, 0], 2 * plain[0, 0], rtol=0.02)
    pink = shot(replace(PLAIN, gains=np.array([1.2, 0.8, 1.2])))
    assert np.allclose(middle(pink) / middle(plain), (1.2, 0.8, 1.2), rtol=0.02)
    assert np.allclose(pink[0, 0] / plain[0, 0], (1.2, 0.8, 1.2), rtol=0.02)
    dark_edge = shot(replace(PLAIN, shadow=np.array([-0.4, 0.0, 0.0, 0.5])))
    assert np.allclose(middle(dark_edge), 0.5 * middle(plain), rtol=0.02)  # the edge is on its left
    glossy = shot(PLAIN, gloss=0.5)
    assert (middle(glossy) > middle(plain) + 0.1).all() and np.allclose(glossy[0, 0], plain[0, 0])


def test_given_backgrounds_are_what_is_behind_the_signs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(from_artwork, "BACKGROUND", 20)
    folder = tmp_path / "track"
    folder.mkdir()
    for number in range(10):  # the two that validate are green, the others blue
        color = (0, 200, 0) if number % from_artwork.VALIDATES == 0 else (200, 0, 0)
        cv2.imwrite(str(folder / f"{number}.png"), np.full((120, 160, 3), color, np.uint8))
    art = drawn.write_signs(tmp_path / "art", THREE)
    from_artwork.make(art, tmp_path / "out", backgrounds=folder, crops=20)
    signs = read(tmp_path / "out")
    background = sorted((tmp_path / "out" / "background").iterdir())
    kept = [path for number, path in enumerate(background) if number % 5 == 0]
    for part, paths in (("val", kept), ("train", [path for path in background if path not in kept])):
        crops = [image.path for image in signs.images if image.part == part and image.class_id != 1]
        corners = [cv2.imread(str(path))[:2, :2].mean(axis=(0, 1)) for path in crops]
        pictures = [cv2.imread(str(path)).mean(axis=(0, 1)) for path in paths]
        channel = 1 if part == "val" else 0
        assert all(color.argmax() == channel for color in pictures)
        # Cards hide it here and there.
        assert np.mean([color.argmax() == channel for color in corners]) > 0.6


def test_a_camera_gives_few_pixels_and_never_none() -> None:
    rng = np.random.default_rng(0)
    for _ in range(30):
        frame = camera.take(rng.random((64, 24, 3)).astype(np.float32), 6.0, rng)
        assert frame.dtype == np.uint8 and frame.shape == (11, 8, 3)


def test_a_net_learns_signs_from_their_artwork_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(from_artwork, "BACKGROUND", 40)
    art, out = drawn.write_signs(tmp_path / "art", THREE), tmp_path / "out"
    from_artwork.make(art, out, crops=100)
    given = ("--trainer.max_steps=50", "--trainer.max_epochs=20", "--trainer.val_check_interval=20")
    data = (f"--data.root={out}", f"--data.background={out / 'background'}")
    (run,) = fit_here("finetune_signs", tmp_path / "runs", *data, *given)
    assert run.model_path is not None
    classify = perception.load(run.model_path)
    assert classify.spec.box_margin == printed.MARGIN and classify.spec.labels[2] == "stop"
    known = []
    # Flat pictures that no renderer made: the sign on a grey wall.
    for name in THREE:
        frame = np.full((300, 300, 3), 120, np.uint8)
        small = cv2.resize(drawn.on_transparent(drawn.SIGNS[name]), (120, 120), interpolation=cv2.INTER_AREA)
        cover = small[..., 3:] / 255
        frame[90:210, 90:210] = small[..., :3] * cover + frame[90:210, 90:210] * (1 - cover)
        (sign,) = classify.classify([frame[96:204, 96:204]])
        assert sign.label == name.replace("_", " ")
        known.append(sign.known)
    (wall,) = classify.classify([np.full((60, 60, 3), 120, np.uint8)])
    assert wall.known < min(known)
