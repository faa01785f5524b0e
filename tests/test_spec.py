import json
from dataclasses import replace

import pytest

from perception import ModelSpec, SpecInvalidError, SpecMissingError, SpecVersionError
from perception.spec import METADATA_KEY, Provenance
from tests.conftest import DETECTION, SIGNS


def read(text: str) -> ModelSpec:
    return ModelSpec.from_metadata({METADATA_KEY: text}, where="some.onnx")


def test_what_is_written_is_what_is_read() -> None:
    spec = ModelSpec(
        "segmentation",
        ("Straße", "Himmel"),
        ((1, 2, 3), (4, 5, 6)),
        (180, 240),
        box_margin=0.1,
        thresholds={"known": 0.25},
        calibration={"temperature": 1.5},
        trained_on="CamVid train",
        provenance=Provenance("CamVid", kept_aside="76fa", background_kept_aside="1234", learnt_val=True),
        metrics={"val_miou": 0.5},
        source={"commit": "abc", "seed": "1"},
    )
    assert read(spec.to_json()) == spec
    assert "Straße" in spec.to_json()  # as people read it who look into the file


def test_fields_of_a_later_minor_change_are_ignored() -> None:
    assert read(SIGNS.to_json().replace("{", '{"shoe_size": 44, ', 1)) == SIGNS


def test_files_from_before_free_sizes_have_none() -> None:
    raw = json.loads(SIGNS.to_json())
    del raw["stride"], raw["enlarge_to"]
    assert read(json.dumps(raw)) == SIGNS
    assert read(DETECTION.to_json()) == DETECTION


def test_a_size_is_padded_to_the_stride_and_at_least_two_of_it() -> None:
    assert DETECTION.padded((17, 96)) == (32, 96)
    assert DETECTION.padded((1, 97)) == (32, 112)
    assert SIGNS.padded((1, 97)) == (16, 16)  # takes one size only


@pytest.mark.parametrize(
    ("task", "entries", "problem"),
    [
        ("sign_detection", {"stride": -1}, "stride is -1"),
        ("sign_detection", {"stride": 32, "enlarge_to": -1}, "enlarge_to -1"),
        ("sign_detection", {"enlarge_to": 108800}, "enlarge_to needs a stride"),
        ("sign_detection", {"stride": 32, "enlarge_to": 1360}, r"1360.*height times width, such as 6144"),
        ("segmentation", {"stride": 32}, "segmentation takes frames of one size only"),
        ("sign_detection", {"thresholds": {"found": 1.5}}, "threshold of found is 1.5"),
    ],
)
def test_free_sizes_that_cannot_be_are_refused(task: str, entries: dict[str, object], problem: str) -> None:
    raw = json.loads(DETECTION.to_json()) | {"task": task, "stride": 0, "enlarge_to": 0} | entries
    with pytest.raises(SpecInvalidError, match=problem):
        read(json.dumps(raw))


@pytest.mark.parametrize("enlarge_to", [0, 4096, 1_088_000])
def test_frames_may_be_enlarged_to_any_picture_or_never(enlarge_to: int) -> None:
    spec = replace(DETECTION, stride=32, enlarge_to=enlarge_to)
    assert read(spec.to_json()).enlarge_to == enlarge_to


def test_a_detector_counts_by_found_and_a_classifier_by_known() -> None:
    assert DETECTION.threshold == 0.3
    assert replace(DETECTION, thresholds={"known": 0.9}).threshold == 0.0
    assert replace(SIGNS, thresholds={"found": 0.9}).threshold == 0.5


@pytest.mark.parametrize("learnt_val", [True, False])
def test_files_from_before_provenance_say_it_in_words(learnt_val: bool) -> None:
    raw = json.loads(SIGNS.to_json())
    del raw["provenance"]
    raw["trained_on"] = "GTSRB, 46409 crops, " + (
        "the validation pictures among them" if learnt_val else "split by track"
    )
    raw["source"] = {"kept_aside": "76fa", "background_kept_aside": "1234"}
    assert read(json.dumps(raw)).provenance == Provenance("GTSRB", "76fa", "1234", learnt_val)


def test_words_decide_nothing_where_there_is_provenance() -> None:
    raw = json.loads(SIGNS.to_json())
    raw["trained_on"] = "CamVid, 468 pictures, the validation pictures among them"
    assert read(json.dumps(raw)).provenance == Provenance()


def test_the_error_about_a_missing_spec_says_how_to_get_one() -> None:
    with pytest.raises(SpecMissingError, match=r"some\.onnx.*training export"):
        ModelSpec.from_metadata({"author": "me"}, where="some.onnx")


def test_a_newer_spec_asks_for_an_update() -> None:
    with pytest.raises(SpecVersionError, match=r"version 2.*update perception"):
        read(SIGNS.to_json().replace('"version": 1', '"version": 2'))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('"signs"', '"weather"'), "task is 'weather'"),
        (('"Green"', '"Red"'), "'Red' is there twice"),
        (('["Blue", "Green", "Red"]', "[]"), "labels is empty"),
        (('["Blue", "Green", "Red"]', '"Blue"'), "labels is not a list"),
        (('["Blue", "Green", "Red"]', '["Blue", "Red"]'), "3 colours for 2 labels"),
        (("[255, 0, 0]", "[256, 0, 0]"), "outside 0…255"),
        (("[255, 0, 0]", "[-1, 0, 0]"), "outside 0…255"),
        (("[16, 16]", "[0, 16]"), "input_hw"),
        (("[16, 16]", "[16]"), "malformed"),
        (('"box_margin": 0.0', '"box_margin": 10'), "box_margin is 10.0; it must be a share"),
        (('"box_margin": 0.0', '"box_margin": 1.5'), "box_margin is 1.5; it must be a share"),
        (('"box_margin": 0.0', '"box_margin": -0.5'), "box_margin is -0.5; it must be a share"),
        (('"BGR"', '"RGB"'), "color is 'RGB'"),
        (('"known": 0.5', '"known": 50'), "threshold of known is 50.0; it must be a share"),
        (('"known": 0.5', '"known": 1.5'), "threshold of known is 1.5; it must be a share"),
        (('"known": 0.5', '"known": -0.5'), "threshold of known is -0.5; it must be a share"),
        (('"known": 0.5', '"known": NaN'), "threshold of known is nan"),
        (('"version": 1', '"version": "2"'), "version is '2', not a whole number"),
        (("[255, 0, 0]", "[Infinity, 0, 0]"), "malformed"),
        (("[16, 16]", "[Infinity, 16]"), "malformed"),
        (("[16, 16]", "[" * 100_000), "not JSON"),
        (('"known": 0.5', '"known": "high"'), "malformed"),
        (('{"known": 0.5}', "[1]"), "malformed"),
        (('"labels"', '"names"'), "lacks 'labels'"),
        (("{", "["), "not JSON"),
    ],
)
def test_a_spec_that_makes_no_sense_is_refused(change: tuple[str, str], message: str) -> None:
    text = SIGNS.to_json()
    assert change[0] in text
    with pytest.raises(SpecInvalidError, match=rf"some\.onnx.*{message}"):
        read(text.replace(*change))


def test_more_classes_than_a_mask_byte_can_name_are_refused() -> None:
    labels = tuple(str(number) for number in range(256))
    with pytest.raises(SpecInvalidError, match="255 is 'unlabelled'"):
        ModelSpec("segmentation", labels, ((0, 0, 0),) * 256, (8, 8))


def test_as_many_classes_as_a_mask_byte_can_name() -> None:
    labels = tuple(str(number) for number in range(255))
    assert ModelSpec("segmentation", labels, ((0, 0, 0),) * 255, (8, 8)).labels == labels


@pytest.mark.parametrize(
    "change",
    [
        ('"known": 0.5', '"known": 0'),
        ('"known": 0.5', '"known": 1'),
        ('"box_margin": 0.0', '"box_margin": 1'),
        ("[16, 16]", "[1, 1]"),
        ("[255, 0, 0]", "[0, 255, 255]"),
    ],
)
def test_the_ends_of_each_range_are_part_of_it(change: tuple[str, str]) -> None:
    text = SIGNS.to_json().replace(*change)
    assert json.loads(read(text).to_json()) == json.loads(text)


def test_what_an_older_file_does_not_say_changes_nothing() -> None:
    raw = json.loads(SIGNS.to_json())
    del raw["box_margin"], raw["thresholds"]
    raw["provenance"] = {"data_set": "GTSRB"}
    spec = read(json.dumps(raw))
    assert spec.box_margin == 0.0  # boxes are not widened
    assert spec.threshold == 0.5  # of signs; a mask has none, so all of it counts
    assert replace(spec, task="segmentation").threshold == 0.0
    assert (
        not spec.provenance.learnt_val
        and not ModelSpec("signs", ("a",), ((0, 0, 0),), (8, 8)).provenance.learnt_val
    )
