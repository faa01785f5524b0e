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
from training.datasets.images import DataError
from training.segmentation import data as segmentation
from training.signs import data as signs
from training.split import (
    Split,
    from_metadata,
    in_words,
    is_unseen,
    provenance,
    remarks,
    remarks_on_background,
    require_same_split,
    to_metadata,
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
