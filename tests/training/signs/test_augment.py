"""Augmented crops are still what their class says."""

from __future__ import annotations

import pytest
import torch

from training.augment import noise
from training.datasets import gtsrb as gtsrb_reader
from training.signs.augment import (
    SignAugment,
    blur,
    cast,
    coarsen,
    cut_out,
    deform,
    flatten,
    gloss,
    haze,
    hide,
    jpeg,
    reframe,
    weather,
)


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
    for spoil in (haze, hide, weather, coarsen, noise, jpeg, blur, cast, flatten):
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


def test_a_gloss_is_white_and_leaves_most_of_a_sign_to_be_seen() -> None:
    torch.manual_seed(0)
    frames = torch.full((200, 3, 32, 32), 0.2)
    shone = gloss(frames.clone(), p=1.0)
    assert (shone >= frames - 1e-6).all() and shone.max() <= 1.0
    lit = (shone - frames).amax(dim=(1, 2, 3))
    assert lit.median() > 0.1
    assert ((shone - frames).mean(dim=1) > 0.2).float().mean() < 0.25
    assert torch.equal(gloss(frames.clone(), p=0.0), frames)


def test_a_colour_cast_changes_hue_and_hardly_light_and_is_stronger_on_one_side() -> None:
    torch.manual_seed(0)
    seen = cast(torch.full((400, 3, 16, 16), 0.4), p=1.0)
    assert (seen.mean(dim=(1, 2, 3)) - 0.4).abs().max() < 0.1
    ratio = seen.mean(dim=(2, 3))
    spread = ratio.amax(dim=1) / ratio.amin(dim=1)
    assert 1.1 < spread.median() < 1.8
    strongest = ratio.argmax(dim=1).bincount(minlength=3)
    assert (strongest > 80).all()  # every hue comes
    uneven = (seen.amax(dim=(2, 3)) - seen.amin(dim=(2, 3))).amax(dim=1)
    assert uneven.median() > 0.05


def square(count: int, size: int = 32) -> torch.Tensor:
    """White squares from a quarter to three quarters of black pictures."""
    frames = torch.zeros(count, 3, size, size)
    frames[..., size // 4 : -size // 4, size // 4 : -size // 4] = 1.0
    return frames


def test_other_boxes_move_scale_and_squeeze_a_sign_and_cut_some_of_it() -> None:
    torch.manual_seed(0)
    count = 600
    seen = reframe(square(count), torch.zeros(count, dtype=torch.bool), (32, 32))[:, 0]
    rows, columns = seen.amax(dim=2) > 0.5, seen.amax(dim=1) > 0.5
    height, width = rows.sum(dim=1).float(), columns.sum(dim=1).float()
    aspect = (width / height).log()
    assert 0.15 < aspect.std() < 0.35
    assert 0.15 < (width * height).log().std() < 0.6
    places = torch.arange(32.0)
    middle = (columns * places).sum(dim=1) / width
    assert 1.5 < (middle - 15.5).std() < 5.0  # of 32 px
    assert rows.any(dim=1).all() and columns.any(dim=1).all()


def test_a_cut_takes_up_to_a_quarter_of_a_sign_and_never_more() -> None:
    torch.manual_seed(0)
    frames = torch.linspace(0, 1, 64).expand(800, 3, 64, 64).contiguous()  # 0 at the left, 1 at the right
    seen = reframe(frames, torch.zeros(800, dtype=torch.bool), (64, 64)).mean(dim=(1, 2))
    left, right = seen[:, 0], 1 - seen[:, -1]
    assert 0.26 < torch.maximum(left, right).quantile(0.99) < 0.35
    assert abs(float(left.mean() - right.mean())) < 0.01


def test_what_is_mirrored_is_mirrored_and_detail_is_kept_where_it_goes_in_larger() -> None:
    torch.manual_seed(0)
    frames = torch.zeros(300, 3, 32, 32)
    frames[..., :16] = 1.0  # bright on the left
    flip = torch.arange(300) % 2 == 0
    seen = reframe(frames, flip, (24, 24))
    assert seen.shape == (300, 3, 24, 24)
    is_left = seen[..., :12].mean(dim=(1, 2, 3)) > seen[..., 12:].mean(dim=(1, 2, 3))
    assert torch.equal(is_left, ~flip)
    small, _ = SignAugment(size_hw=(16, 16))(
        torch.zeros(4, 3, 32, 32, dtype=torch.uint8), torch.zeros(4, dtype=torch.long), torch.tensor([-1])
    )
    assert small.shape == (4, 3, 16, 16)


def test_print_has_fewer_shades_and_stays_in_its_order() -> None:
    torch.manual_seed(0)
    frames = torch.linspace(0.2, 0.5, 32).expand(50, 3, 32, 32).contiguous()
    inked = flatten(frames.clone(), p=1.0)
    assert (inked.diff(dim=-1) >= -1e-4).all()  # what was lighter is not darker now
    contrast = inked.amax(dim=(1, 2, 3)) - inked.amin(dim=(1, 2, 3))
    assert (contrast > 0.45).all()  # of 0.3
    assert torch.equal(flatten(frames.clone(), p=0.0), frames)


def test_signs_are_cut_out_along_their_outline_and_others_are_left_alone() -> None:
    torch.manual_seed(0)
    frames = torch.rand(200, 3, 16, 16)
    outlines = torch.zeros(200, 16, 16)
    outlines[::2, 4:12, 4:12] = 1.0  # nobody knows the others'
    seen = cut_out(frames.clone(), outlines, p=0.5)
    assert torch.equal(seen[1::2], frames[1::2])
    assert torch.equal(seen[..., 4:12, 4:12], frames[..., 4:12, 4:12])
    changed = (seen != frames).flatten(1).any(dim=1)[::2]
    assert 0.35 < changed.float().mean() < 0.65
    corners = seen[::2][changed][..., 0, 0]
    pale = corners.amin(dim=1) > 0.6
    assert 0.2 < pale.float().mean() < 0.7  # white card; the rest is before another picture or coloured


def test_only_known_outlines_bring_print_and_card() -> None:
    frames = torch.full((64, 3, 16, 16), 100, dtype=torch.uint8)
    ids, table = torch.zeros(64, dtype=torch.long), torch.tensor([-1])
    torch.manual_seed(0)
    outlines = torch.zeros(1, 16, 16)
    outlines[:, 6:10, 6:10] = 1.0
    plain, _ = SignAugment(1.0)(frames, ids, table)
    carded, _ = SignAugment(1.0)(frames, ids, table, outlines)

    def edge(x: torch.Tensor) -> float:
        return float((x[..., 8, 8] - x[..., 0, 0]).abs().amax(dim=1).median())

    assert edge(carded) != edge(plain)
