"""Tubs of donkeycar: which pictures, when, how the car was driven; and what is wrong, with its place."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import cv2
import numpy as np
import pytest

import perception
from perception.commands.run import run
from perception.errors import InputError
from perception.recordings.bag import BagReader
from perception.recordings.shots import Controls, Shot
from perception.recordings.sources import has_clock, open_source
from tests.recordings.tubs import CAMERA, INPUTS, START_MS, TYPES, frame, record, write_old_tub, write_tub

SECOND, MS = 1_000_000_000, 1_000_000


def shots(path: Path) -> list[Shot]:
    return list(open_source(path).shots())


def levels(taken: list[Shot]) -> list[int | None]:
    """The number of each picture by its colour; None for a bad one."""
    return [None if shot.image is None else round(float(np.mean(shot.image)) / 10) for shot in taken]


def test_all_catalogs_of_a_tub_are_one_drive_with_its_own_times(tmp_path: Path) -> None:
    tub = write_tub(tmp_path / "data", [[record(i) for i in range(3)], [record(i) for i in (3, 4)]])
    source = open_source(tub, start_ns=7)
    assert (source.name, source.count, source.has_clock, source.is_stream) == ("data", 5, True, True)
    assert source.rate_hz == pytest.approx(10.0)
    assert source.end_ns == (START_MS + 500) * MS
    at_once = [record(i, _timestamp_ms=START_MS + 100 * (i // 4)) for i in range(8)]
    assert open_source(write_tub(tmp_path / "at_once", [at_once])).rate_hz == pytest.approx(10.0)
    taken = list(source.shots())
    assert levels(taken) == [0, 1, 2, 3, 4]
    assert [shot.stamp_ns for shot in taken] == [(START_MS + 100 * i) * MS for i in range(5)]
    assert all(shot.time_ns == shot.stamp_ns and shot.boxes is None and shot.read_ms > 0 for shot in taken)
    assert taken[3].name == "3_cam_image_array_.jpg"
    assert has_clock(tub) and not has_clock(tub / "images") and not has_clock(tub / "manifest.json")


def test_what_drove_the_car_is_kept(tmp_path: Path) -> None:
    pilot = {"pilot/angle": -0.25, "pilot/throttle": 0.125}
    records = [
        record(1),
        record(2, **{"user/mode": "local_angle"}, **pilot),
        record(3, **{"user/mode": "local"}, **pilot),
        record(
            4, **{"user/mode": "local"}
        ),  # the pilot's values were not recorded, and the user's drove nothing
        record(5, **{"user/angle": "left", "user/mode": None}),
    ]
    controls = [shot.controls for shot in shots(write_tub(tmp_path / "data", [records]))]
    assert controls == [
        Controls(0.1, 0.5, "user"),
        Controls(-0.25, 0.5, "local_angle"),
        Controls(-0.25, 0.125, "local"),
        None,
        Controls(None, 0.5, "user"),
    ]


def test_deleted_records_are_left_out_by_their_index(tmp_path: Path) -> None:
    records = [
        [record(i) for i in (5, 6)],
        [record(i) for i in (7, 8)],
    ]  # as of a tub whose begin was removed
    tub = write_tub(tmp_path / "data", records, deleted=[0, 6, 8])
    assert levels(shots(tub)) == [5, 7]
    assert open_source(tub).count == 2
    without = [record(i, _index=None) for i in range(3)]
    (tmp_path / "old").mkdir()
    assert [s.name for s in shots(write_tub(tmp_path / "old" / "data", [without], deleted=[1]))] == [
        "0_cam_image_array_.jpg",
        "2_cam_image_array_.jpg",
    ]
    with pytest.raises(InputError, match=r"all/data: all 2 records are marked as deleted; restore some"):
        open_source(write_tub(tmp_path / "all" / "data", [[record(0), record(1)]], deleted=[0, 1]))


def test_broken_records_are_bad_frames_with_file_and_line(tmp_path: Path) -> None:
    cut = json.dumps(record(2))[:40]
    first = [record(0), "\0\0\0", record(3), "[1]"]
    second = [record(5), record(6, **{CAMERA: None}), record(7), record(8, **{CAMERA: ""}), cut]
    tub = write_tub(tmp_path / "data", [first, second])
    (tub / "images" / "7_cam_image_array_.jpg").unlink()
    source = open_source(tub)
    taken = list(source.shots())
    assert levels(taken) == [0, None, 3, None, 5, None, None, None, None]
    assert source.count == 9
    errors = [(shot.name, str(shot.error)) for shot in taken if shot.error]
    assert errors == [
        ("catalog_0.catalog:2", "catalog_0.catalog:2: the record is no JSON; it may be cut off"),
        ("catalog_0.catalog:4", "catalog_0.catalog:4: the record is no JSON object with fields"),
        ("catalog_1.catalog:2", f"catalog_1.catalog:2: the record has no {CAMERA}"),
        ("7_cam_image_array_.jpg", "cannot be read: No such file or directory"),
        ("catalog_1.catalog:4", f"catalog_1.catalog:4: the record has no {CAMERA}"),
        ("catalog_1.catalog:5", "catalog_1.catalog:5: the record is no JSON; it may be cut off"),
    ]
    stamps = [shot.stamp_ns for shot in taken]
    assert stamps == sorted(stamps)
    assert stamps[1] == (START_MS + 150) * MS  # between its neighbours
    only = write_tub(tmp_path / "only" / "data", [[cut]])
    with pytest.raises(InputError, match=r"data/catalog_0\.catalog:1: the record is no JSON"):
        open_source(only)


def test_missing_and_foreign_catalogs_are_named_and_the_others_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tub = write_tub(tmp_path / "data", [[record(0)], [record(1)], [record(2)]])
    (tub / "catalog_1.catalog").rename(tub / "catalog_7.catalog")
    assert levels(shots(tub)) == [0, 2]
    foreign, missing = (entry.getMessage() for entry in caplog.records)
    assert foreign == f"{tub}: not read, because manifest.json does not list them: catalog_7.catalog"
    assert missing.startswith(f"{tub}/catalog_1.catalog: cannot be read: No such file")


@pytest.mark.parametrize("left", [0, 2, 4])
def test_without_a_whole_manifest_all_catalogs_are_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, left: int
) -> None:
    records = [[record(2 * i), record(2 * i + 1)] for i in range(11)]
    tub = write_tub(tmp_path / "data", records, deleted=[0])
    manifest = tub / "manifest.json"
    manifest.write_text("".join(manifest.read_text().splitlines(keepends=True)[:left]))
    assert levels(shots(tub)) == list(range(22))  # catalog_2 comes before catalog_10
    (warning,) = caplog.records
    assert f"{manifest}: damaged; all catalogs of the folder are read, and deleted" in warning.getMessage()
    manifest.unlink()
    caplog.clear()
    assert len(shots(tub)) == 22
    assert f"{manifest}: No such file" in caplog.text


def test_an_empty_tub_is_no_folder_of_pictures(tmp_path: Path) -> None:
    tub = write_tub(tmp_path / "data", [[]])
    cv2.imwrite(str(tub / "notes.png"), frame(1))
    with pytest.raises(InputError, match="data: the tub is empty"):
        open_source(tub)
    (tub / "catalog_0.catalog").unlink()
    with pytest.raises(InputError, match="data: the tub is empty"):
        open_source(tub)


def test_the_folder_images_is_a_folder_of_pictures(tmp_path: Path) -> None:
    tub = write_tub(tmp_path / "data", [[record(i) for i in range(11)]], deleted=[0])
    source = open_source(tub / "images")
    assert (source.count, source.is_stream) == (11, False)
    assert [shot.controls for shot in source.shots()] == [None] * 11


def test_a_manifest_of_something_else_makes_no_tub(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "record_1.png"), frame(3))
    (tmp_path / "manifest.json").write_text('{"name": "an app"}')
    (tmp_path / "record_2.json").mkdir()
    (tmp_path / "record_1.json").write_text('{"shapes": [], "imagePath": "record_1.png"}')  # LabelMe
    source = open_source(tmp_path)
    assert (source.count, source.is_stream) == (1, False)


def test_a_folder_of_tubs_lists_them(tmp_path: Path) -> None:
    for name in ("tub_2", "tub_1"):
        write_tub(tmp_path / name, [[record(0)]])
    with pytest.raises(InputError, match="a folder of tubs; give one or more of them: tub_1, tub_2"):
        open_source(tmp_path)


def test_one_of_several_cameras_is_chosen(tmp_path: Path) -> None:
    both = {f"{CAMERA}_a": "1_cam_image_array_.jpg", f"{CAMERA}_b": "2_cam_image_array_.jpg"}
    tub = write_tub(tmp_path / "data", [[record(1, **both), record(2, **both)]])
    assert levels(shots(tub)) == [1, 2]
    front = write_tub(
        tmp_path / "front", [[record(1, **{CAMERA: None, "cam/front": "1_cam_image_array_.jpg"})]]
    )
    (front / "manifest.json").unlink()
    assert levels(shots(front)) == [1]
    with pytest.raises(InputError, match=f"{CAMERA}_c names no pictures there; these fields do: {CAMERA}$"):
        open_source(tub, topic=f"{CAMERA}_c")
    manifest = tub / "manifest.json"
    lines = manifest.read_text().splitlines()
    for cameras, wanted in ((["a", "b"], None), (["", "a", "b"], CAMERA)):
        keys = [f"{CAMERA}_{name}" if name else CAMERA for name in cameras]
        lines[:2] = [json.dumps([*keys, *INPUTS[1:]]), json.dumps(["image_array"] * len(keys) + TYPES[1:])]
        manifest.write_text("\n".join(lines))
        assert levels(list(open_source(tub, topic=f"{CAMERA}_b").shots())) == [2, 2]
        if wanted is None:
            with pytest.raises(InputError, match=f"several cameras; choose one with --topic: {CAMERA}_a, "):
                open_source(tub)
        else:
            assert levels(shots(tub)) == [1, 2]


@pytest.mark.parametrize("wrong", [None, "soon", True, float("nan"), 1e300, -5])
def test_a_record_without_a_time_gets_one_between_its_neighbours(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, wrong: object
) -> None:
    tub = write_tub(tmp_path / "data", [[record(0), record(1, _timestamp_ms=wrong), record(2)]])
    assert [shot.stamp_ns // MS - START_MS for shot in shots(tub)] == [0, 100, 200]
    assert f"{tub}: no time, so one that fits their neighbours': catalog_0.catalog:2\n" in caplog.text


@pytest.mark.parametrize(("count", "more"), [(3, ""), (4, " and 1 more")])
def test_of_many_records_three_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, count: int, more: str
) -> None:
    without = [record(index, _timestamp_ms=None) for index in range(2, count + 2)]
    tub = write_tub(tmp_path / "data", [[record(0), record(1), *without]])
    assert [shot.stamp_ns // MS - START_MS for shot in shots(tub)] == list(range(0, 100 * count + 101, 100))
    listed = ", ".join(f"catalog_0.catalog:{line}" for line in (3, 4, 5))
    assert caplog.records[0].getMessage().endswith(f": {listed}{more}")


def test_times_go_on_before_the_first_and_after_the_last_that_is_known(tmp_path: Path) -> None:
    lines = ["{", record(1, _timestamp_ms=None), record(2), record(3), record(4), "{", "{"]
    tub = write_tub(tmp_path / "data", [lines])
    assert [shot.stamp_ns // MS - START_MS for shot in shots(tub)] == [0, 100, 200, 300, 400, 500, 600]
    alone = write_tub(tmp_path / "alone" / "data", [[record(0), "{"]])
    assert [shot.stamp_ns // MS - START_MS for shot in shots(alone)] == [0, 50]  # at donkeycar's usual rate
    assert open_source(write_tub(tmp_path / "one" / "data", [[record(0)]])).rate_hz == 20.0


def test_without_any_time_a_steady_rate_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tub = write_tub(tmp_path / "data", [[record(i, _timestamp_ms=None) for i in range(3)]])
    source = open_source(tub, start_ns=SECOND)
    assert (source.rate_hz, source.has_clock, source.end_ns) == (20.0, False, SECOND + 150 * MS)
    assert [shot.stamp_ns for shot in source.shots()] == [SECOND, SECOND + 50 * MS, SECOND + 100 * MS]
    assert f"{tub}: the records have no times, so they are stamped as 20 a second" in caplog.text


def test_version_1_is_read_in_counted_order_from_its_start(tmp_path: Path) -> None:
    meta = {"inputs": INPUTS, "types": TYPES, "start": 1_500_000_000.5}
    tub = write_old_tub(tmp_path / "tub_1", [10, 9, 2], meta=meta)
    (tub / "exclude.json").write_text("[9]")
    taken = shots(tub)
    assert levels(taken) == [2, 10]
    assert [shot.stamp_ns for shot in taken] == [1_500_000_001_700 * MS, 1_500_000_002_500 * MS]
    assert taken[0].controls == Controls(0.2, 0.5, "user")
    assert has_clock(tub)


def test_a_tub_of_version_1_without_a_record_left_says_so(tmp_path: Path) -> None:
    tub = write_old_tub(tmp_path / "tub_1", [1, 2])
    (tub / "exclude.json").write_text("[2, 1]")
    with pytest.raises(InputError, match="tub_1: all 2 records are marked as deleted"):
        open_source(tub)


def test_version_1_without_a_start_begins_where_it_is_asked_to(tmp_path: Path) -> None:
    tub = write_old_tub(tmp_path / "tub_1", [3, 4])
    assert not has_clock(tub)
    assert [shot.stamp_ns for shot in open_source(tub, start_ns=SECOND).shots()] == [
        SECOND,
        SECOND + 100 * MS,
    ]


def test_damage_of_version_1_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tub = write_old_tub(tmp_path / "tub_1", [1, 2, 3], milliseconds=None)
    (tub / "record_2.json").write_text('{"user/an')
    (tub / "meta.json").write_text("{")
    taken = shots(tub)
    assert levels(taken) == [1, None, 3]
    assert str(taken[1].error) == "record_2.json: the record is no JSON; it may be cut off"
    warnings = [entry.getMessage() for entry in caplog.records if entry.levelno == logging.WARNING]
    assert warnings.count(f"{tub}/meta.json: damaged, and not used") == 1
    assert not has_clock(tub) and len(caplog.records) == len(warnings)
    assert any("stamped as 20 a second" in text for text in warnings)


def test_a_run_carries_the_controls_and_counts_bad_records(tmp_path: Path, segmentation_model: Path) -> None:
    pilot = {"user/mode": "local_angle"}  # whose angle was not recorded
    tub = write_tub(tmp_path / "data", [[record(0), record(1, **pilot), "{", record(3)]])
    outcome = run([tub], tmp_path / "out", [perception.load(segmentation_model)])
    assert (outcome.summary.good, dict(outcome.summary.bad_reasons)) == (3, {"data": 1})
    assert "catalog_0.catalog:3: the record is no JSON" in outcome.report.read_text(encoding="utf-8")
    with BagReader(outcome.results) as results:
        assert results.count("/segmentation/mask") == 3
        sticks = [message for _, _, message in results.messages(["/controls"])]
    assert [stick.header.stamp.nanosec for stick in sticks] == [123 * MS, 223 * MS, 423 * MS]
    np.testing.assert_allclose([s.axes for s in sticks], [[0, 0.5], [np.nan, 0.5], [0.3, 0.5]], rtol=1e-6)


def test_pictures_go_on_where_a_tub_ends(tmp_path: Path, segmentation_model: Path) -> None:
    tub = write_tub(tmp_path / "data", [[record(0), record(1)]])
    outcome = run([tub / "images", tub], tmp_path / "out", [perception.load(segmentation_model)])
    with BagReader(outcome.results) as results:
        stamps = [m.header.stamp for _, _, m in results.messages(["/segmentation/mask"])]
    begin_s = START_MS // 1000
    assert [(stamp.sec - begin_s, stamp.nanosec // MS) for stamp in stamps] == [
        (0, 123),
        (0, 223),
        (0, 323),
        (1, 323),
    ]
