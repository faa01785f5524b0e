"""The streaming measures say what a reader and the tracker really do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from perception.signs import Sign, Signs
from tests.training.detection.drives import SPEC, make_gtsdb, read, sign
from training.datasets import boxes
from training.datasets.images import BoxImage, BoxSet, DataError
from training.detection.streaming import Seen, Streaming, drives, replay, score
from training.detection.streaming_tables import extent, figures, shares

Flaw = Callable[[int, Sequence[Sign]], Sequence[Sign]]


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> BoxSet:
    return boxes.read(make_gtsdb(tmp_path_factory.mktemp("data") / "GTSDB"))


@pytest.fixture(scope="module")
def replays(street: BoxSet) -> list[list[Seen]]:
    """Three drives as a good reader sees them."""
    return replay(read, drives(street.images, 3), street.labels)


def measure(replays: list[list[Seen]], flaw: Flaw) -> Streaming:
    """With the signs of each frame, which has a number, made worse."""
    flawed = [
        [replace(seen, signs=Signs(tuple(flaw(number, seen.signs)))) for number, seen in enumerate(drive)]
        for drive in replays
    ]
    return score(flawed, SPEC)


def misread(signs: Sequence[Sign]) -> list[Sign]:
    return [sign("Give way", each.box or (0, 0, 1, 1)) for each in signs]


def test_a_good_reader_is_followed_well(replays: list[list[Seen]]) -> None:
    measured = score(replays, SPEC)
    assert measured.drives == 3 and measured.frames > 100 and measured.signs == 6
    assert measured.shares["clear"].single > 0.97 and measured.shares["clear"].tracked > 0.97
    assert measured.confirmed == 1.0 and measured.confirmed_wrong == 0.0
    assert measured.switches <= 2 and measured.false_tracks == 0.0
    assert measured.confirm_s is not None and measured.confirm_s < 0.3


def test_tracks_repair_what_single_frames_miss_and_misread(replays: list[list[Seen]]) -> None:
    def flaw(number: int, signs: Sequence[Sign]) -> Sequence[Sign]:
        return [] if number % 4 == 0 else misread(signs) if number % 7 == 0 else signs

    measured = measure(replays, flaw)
    share = measured.shares["all"]
    assert share.tracked > share.single + 0.15
    assert share.wrong_single > 0.05 and share.wrong_tracked < 0.03
    assert measured.flicker_tracked < 0.3 * measured.flicker_single
    assert measured.switches <= 3 and measured.confirmed == 1.0


def test_ghosts_of_single_frames_become_no_tracks(replays: list[list[Seen]]) -> None:
    def flaw(number: int, signs: Sequence[Sign]) -> Sequence[Sign]:
        x = 200 if number % 2 else 5  # never at one side twice within half a second
        return [*signs, sign("Give way", (x, 5, x + 9, 14))] if number % 15 == 0 else signs

    measured = measure(replays, flaw)
    assert measured.false_single > 30
    assert measured.false_tracks == 0.0


def test_a_ghost_that_stays_is_a_false_track(replays: list[list[Seen]]) -> None:
    measured = measure(replays, lambda _, signs: [*signs, sign("Give way", (5, 5, 25, 25))])
    assert measured.false_tracks > 5


def test_a_reader_that_is_always_wrong_is_measured_as_that(replays: list[list[Seen]]) -> None:
    measured = measure(replays, lambda _, signs: misread(signs))
    share = measured.shares["all"]
    assert share.single == share.tracked == 0.0
    assert share.wrong_single > 0.8 and share.wrong_tracked > 0.8
    assert measured.confirmed == 0.0 and measured.confirmed_wrong == 1.0
    assert measured.confirm_s is None


def test_classes_that_the_model_does_not_know_are_not_asked(replays: list[list[Seen]]) -> None:
    spec = replace(SPEC, labels=("Halt", "Keep right", "Give way"))
    assert score(replays, spec).signs == 3


def test_every_sign_is_driven_to_before_one_is_a_second_time(street: BoxSet) -> None:
    chosen = drives(street.images, 15, seed=7)
    places = [(drive.image.path, drive.target) for drive in chosen]
    assert len(set(places[:10])) == 10 and set(places[10:]) <= set(places[:10])
    assert len({drive.seed for drive in chosen}) == 15
    assert drives(street.images, 15, seed=7) == chosen
    assert len({drive.image.path for drive in drives(street.images, 5)}) == 5  # over all pictures


def test_signs_too_small_to_drive_to_are_refused() -> None:
    small = BoxImage(Path("a.png"), ((0, 0, 15, 15),), (14,))
    with pytest.raises(DataError, match="24 px"):
        drives([small])


def test_the_tables_hold_all_of_it(replays: list[list[Seen]]) -> None:
    measured = score(replays[:1], SPEC)
    assert extent(measured).startswith("1 drives, ") and extent(measured).endswith("2 signs")
    rows = {row[0]: row[1:] for row in shares(measured)}
    assert rows["all"][0] == str(measured.shares["all"].pairs)
    assert rows["all"][2] == f"{measured.shares['all'].tracked:.1%}"
    assert len(figures(measured)) == 7
    empty = replace(measured, shares={name: replace(s, pairs=0) for name, s in measured.shares.items()})
    assert shares(empty)[0][2:] == ("", "", "", "")
