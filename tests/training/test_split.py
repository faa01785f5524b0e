"""Who has learnt from what is data: a split that changed is refused, and no text for people decides."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from perception.spec import LEARNT_VAL_IN_WORDS, METADATA_KEY, ModelSpec, Provenance
from tests.conftest import SIGNS
from training import split
from training.datasets.images import DataError, SignImage
from training.segmentation import data as segmentation
from training.signs import data as signs
from training.split import (
    Split,
    fingerprint,
    from_metadata,
    in_words,
    is_unseen,
    provenance,
    remarks,
    remarks_on_background,
    require_same_split,
    split_by_track,
    to_metadata,
    validates,
    warn_of_learnt,
)


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


TEXTS = ("", LEARNT_VAL_IN_WORDS, "GTSRB, 9 crops, background included", f"others, {LEARNT_VAL_IN_WORDS}")


@pytest.mark.parametrize("learnt_val", [False, True])
def test_no_text_for_people_changes_a_decision(learnt_val: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """Of models with the same provenance, whatever is written about them in words."""
    own = Provenance("signs", "the same", "street", learnt_val=learnt_val)
    decisions = []
    for text in TEXTS:
        spec = replace(SIGNS, trained_on=text, provenance=own)
        spec = ModelSpec.from_metadata({METADATA_KEY: spec.to_json()}, where="a model")
        theirs = from_metadata(to_metadata(spec))
        assert theirs == own
        of_background = remarks_on_background(
            theirs, Split.of(spec), Path("street"), "val", kept_aside="street"
        )
        decisions.append(
            (
                is_unseen(theirs, "the same"),
                warn_of_learnt(theirs, "signs", kept_aside="the same"),
                tuple(remarks(theirs, "signs", "val", kept_aside="the same")),
                tuple(of_background),
            )
        )
    assert len(set(decisions)) == 1
    is_not_learnt, warns, of_signs, of_street = decisions[0]
    assert (not is_not_learnt, warns, bool(of_signs), bool(of_street)) == 4 * (learnt_val,)
    assert bool(capsys.readouterr().out) is learnt_val


def test_a_reworded_spec_says_the_same_as_data(monkeypatch: pytest.MonkeyPatch) -> None:
    data = SimpleNamespace(data_set="GTSRB", kept_aside="some", train_on_val=False)
    for train_on_val, start_learnt_val in ((False, False), (False, True), (True, False)):
        task, data.train_on_val = SimpleNamespace(start_learnt_val=start_learnt_val), train_on_val
        before, words = provenance(task, data), in_words(task, data)
        with monkeypatch.context() as reworded:
            reworded.setattr(split, "LEARNT_VAL_IN_WORDS", "nothing was kept aside")
            assert bool(words) is (in_words(task, data) != words)
            assert provenance(task, data) == before
        assert before == Provenance("GTSRB", "some", learnt_val=train_on_val or start_learnt_val)


def test_weights_of_earlier_releases_are_understood() -> None:
    texts = {"trained_on": f"GTSRB, 9 crops, {LEARNT_VAL_IN_WORDS}", "kept_aside": "some"}
    assert from_metadata(texts) == Provenance("GTSRB", "some", learnt_val=True)
    assert from_metadata({"labels": "[]"}) == Provenance()
    assert from_metadata({"provenance": '{"data_set": "GTSRB", "of_a_newer_release": 1}'}).data_set == "GTSRB"
    for malformed in ("[]", "{"):
        with pytest.raises(ValueError):  # noqa: PT011
            from_metadata({"provenance": malformed})


def test_background_is_known_to_be_learnt_by_the_config_alone() -> None:
    """As in the shipped model, which is older than fingerprints of background."""
    for config, said in (({"background": "GTSDB"}, True), ({"background": None}, False)):
        spec = replace(
            SIGNS, source={"config": json.dumps(config)}, provenance=Provenance("signs", learnt_val=True)
        )
        kept = Split.of(spec)
        given = remarks_on_background(spec.provenance, kept, Path("street"), "val", kept_aside="some")
        assert bool(list(given)) is said


def test_a_fingerprint_is_that_of_earlier_releases() -> None:
    """Otherwise no training could be resumed after an update."""
    assert fingerprint(["b", "a", "a"]) == fingerprint(["a", "b"]) == "7e18f737311b2dc3"


@pytest.mark.parametrize(
    ("share", "wanted"),
    [(0.1, [0, 10, 20]), (0.3, [0, 3, 6, 9, 12, 15, 18, 21, 24]), (0.9, [*range(0, 25, 2)])],
)
def test_background_validates_in_the_share_that_was_asked_for_and_never_all_of_it(
    share: float, wanted: list[int]
) -> None:
    assert [number for number in range(25) if validates(number, share)] == wanted


@pytest.mark.parametrize(
    ("tracks", "share", "validate"),
    [(10, 0.1, 1), (10, 0.3, 3), (2, 0.1, 1), (2, 0.9, 1), (1, 0.5, 0), (4, 0.99, 3)],
)
def test_each_class_gives_its_share_of_tracks_and_keeps_one_to_learn_from(
    tracks: int, share: float, validate: int
) -> None:
    images = [
        SignImage(Path(f"{track}_{number}.png"), class_id, f"{class_id}/{track}")
        for class_id in (0, 1)
        for track in range(tracks)
        for number in range(5)
    ]
    train, val = split_by_track(images, val_fraction=share, seed=0)
    for class_id in (0, 1):
        assert len({image.track for image in val if image.class_id == class_id}) == validate
    assert len(val) == 2 * validate * 5 and set(train + val) == set(images)
    assert not {image.track for image in train} & {image.track for image in val}


def test_how_a_model_split_its_data_is_read_from_its_file_and_the_rest_is_assumed() -> None:
    config = {"val_fraction": 0.25, "seed": 7, "hold_out": ["Red"], "background": "streets"}
    said = Split.of(replace(SIGNS, source={"config": json.dumps(config)}))
    assert said == Split(0.25, 7, ("Red",), has_background=True)
    for source in ({}, {"config": "a text of an earlier release"}, {"config": '{"seed": 7}'}):
        kept = Split.of(replace(SIGNS, source=source))
        defaults = signs.SignData("anywhere")
        assert kept.val_fraction == kept.assumed["val_fraction"] == defaults.hparams.val_fraction
        assert ("seed" in kept.assumed) is ("seed" not in source.get("config", ""))
        assert not kept.has_background and not kept.hold_out


OLD, SAME, OTHER, UNKNOWN = "an older part", "this part", "GTSRB", ""


@pytest.mark.parametrize(
    ("data_set", "kept_aside", "learnt_val", "warning"),
    [
        ("signs", SAME, False, ""),
        ("signs", UNKNOWN, False, ""),
        ("signs", OLD, False, "have learnt from pictures that validate here"),
        ("signs", SAME, True, "have learnt from pictures that validate here"),
        ("signs", OLD, True, "have learnt from pictures that validate here"),
        ("signs", UNKNOWN, True, "have learnt from pictures that validate here"),
        (OTHER, SAME, True, "named as those that validate here, perhaps the same"),
        (OTHER, SAME, False, ""),
        (OTHER, OLD, True, ""),
        (OTHER, OLD, False, ""),
    ],
)
def test_a_training_that_starts_from_weights_says_what_they_know(
    data_set: str, kept_aside: str, learnt_val: bool, warning: str, capsys: pytest.CaptureFixture[str]
) -> None:
    own = Provenance(data_set, kept_aside, learnt_val=learnt_val)
    assert warn_of_learnt(own, "signs", kept_aside=SAME) is bool(warning)
    said = capsys.readouterr().out
    assert warning in said and bool(said) is bool(warning)


@pytest.mark.parametrize(
    ("data_set", "kept_aside", "learnt_val", "part", "remark"),
    [
        ("signs", SAME, False, "val", None),
        ("signs", UNKNOWN, False, "val", None),
        ("signs", OLD, False, "val", "added, renamed or taken out since the training"),
        ("signs", SAME, False, "all", "has learnt from most of these pictures"),
        ("signs", SAME, True, "val", "has learnt from these very pictures"),
        ("signs", SAME, True, "all", "has learnt from these very pictures"),
        ("signs", OLD, True, "val", "has learnt from all of signs as it was then"),
        ("signs", OLD, True, "all", "has learnt from all of signs as it was then"),
        (OTHER, OLD, True, "val", "what a training on signs would keep aside"),
        (OTHER, OLD, True, "all", None),
        (OTHER, SAME, True, "val", "trained with pictures of these names"),
        (OTHER, SAME, False, "val", "what a training on signs would keep aside"),
        (OTHER, SAME, False, "all", "trained with pictures of these names"),
        ("", SAME, False, "val", None),  # a checkpoint names no data set
        ("", SAME, True, "val", "has learnt from these very pictures"),
    ],
)
def test_a_reader_of_figures_is_warned_of_what_the_model_knows(
    data_set: str, kept_aside: str, learnt_val: bool, part: str, remark: str | None
) -> None:
    own = Provenance(data_set, kept_aside, learnt_val=learnt_val)
    said = list(remarks(own, "signs", part, kept_aside=SAME))
    assert len(said) == (remark is not None) and all(remark in one for one in said)
    is_known = learnt_val or kept_aside == OLD
    assert is_unseen(own, SAME) is not is_known


@pytest.mark.parametrize(
    ("aside", "has_background", "learnt_val", "part", "remark"),
    [
        (SAME, True, False, "val", None),
        (UNKNOWN, True, False, "val", None),
        (OLD, True, False, "val", "is not what validates of street"),
        (OLD, True, False, "all", "has learnt from background"),
        (SAME, True, False, "all", "has learnt from background"),
        (SAME, True, True, "val", "has learnt from background"),
        (UNKNOWN, False, False, "all", None),
        (UNKNOWN, False, True, "val", None),
    ],
)
def test_a_reader_of_figures_on_background_is_warned_too(
    aside: str, has_background: bool, learnt_val: bool, part: str, remark: str | None
) -> None:
    kept = Split(0.1, 0, background_kept_aside=aside, has_background=has_background)
    own = Provenance("signs", SAME, aside, learnt_val=learnt_val)
    said = list(remarks_on_background(own, kept, Path("street"), part, kept_aside=SAME))
    assert len(said) == (remark is not None) and all(remark in one for one in said)


@pytest.mark.parametrize(
    ("train_on_val", "start_learnt_val", "wanted"),
    [
        (False, False, ""),
        (True, False, LEARNT_VAL_IN_WORDS),
        (True, True, LEARNT_VAL_IN_WORDS),
        (False, True, f"after others, {LEARNT_VAL_IN_WORDS}"),
    ],
)
def test_words_say_whether_this_training_or_an_earlier_one_learnt_all(
    train_on_val: bool, start_learnt_val: bool, wanted: str
) -> None:
    task, data = (
        SimpleNamespace(start_learnt_val=start_learnt_val),
        SimpleNamespace(train_on_val=train_on_val),
    )
    assert in_words(task, data) == wanted
