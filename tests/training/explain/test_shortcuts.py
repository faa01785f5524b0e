"""A planted shortcut is found first, and a net without one has its evidence in the signs."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.training.explain.toys import DOT, PLANTED, SHAPES, Toy
from tests.training.interrupts import interrupt
from training.__main__ import main
from training.datasets.folders import read_classes
from training.datasets.images import SignSet
from training.explain import find_shortcuts, shortcuts
from training.explain.question import Question, Sample
from training.explain.shortcuts import Evidence, Finding, ranked
from training.signs.explain import within


@pytest.mark.parametrize("method", ["occlusion", "gradcam"])
def test_a_planted_shortcut_is_found_first(misled: Toy, tmp_path: Path, method: str) -> None:
    classes = find_shortcuts(misled.checkpoint, misled.data, out=tmp_path, methods=[method], limit=4)
    first, *others = classes
    assert first.label == PLANTED and {one.label for one in others} == set(SHAPES) - {PLANTED}
    assert first.share > 2 * others[0].share
    if method == "occlusion":  # Grad-CAM is too coarse to leave the sign
        assert first.share > 1.5 * first.area  # evidence that was anywhere would have the share of the area
    assert [one.share for one in classes] == sorted((one.share for one in classes), reverse=True)
    assert first.blind == 1.0 and all(one.blind < 1.0 for one in others)  # the dot suffices


def test_the_page_shows_the_worst_and_the_json_has_all_classes(
    misled: Toy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ["explain", str(misled.checkpoint), str(misled.data), "--shortcuts", "--limit", "2"]
    assert main([*arguments, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "evidence %" in said and said.index(PLANTED) < min(
        said.index(name) for name in SHAPES if name != PLANTED
    )
    content = json.loads((out / "shortcuts.json").read_text())
    first = content["classes"][0]
    assert (content["method"], first["label"], first["things"]) == ("occlusion", PLANTED, 2)
    assert Path(first["worst"]).parent == misled.data / "val" / PLANTED
    assert first["worst_evidence_outside"] >= first["evidence_outside"] > first["area_outside"]
    assert "what outline" in content["remarks"][0]  # folders do not say that signs are discs
    page = (out / "report.html").read_text()
    assert page.count("<img") == 2 * len(SHAPES) and f"1. {PLANTED}" in page and "<svg" in page
    assert main([*arguments, "--label", PLANTED]) == 1
    assert "--label" in capsys.readouterr().err


def test_after_ctrl_c_it_goes_on_to_the_same_ranking(
    misled: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ["explain", str(misled.checkpoint), str(misled.data), "--shortcuts", "--limit", "2", "--out"]
    assert main([*given, str(tmp_path / "whole")]) == 0
    weighed = interrupt(monkeypatch, shortcuts, "weigh", 4)
    out = tmp_path / "out"
    assert main([*given, str(out)]) == 0
    assert json.loads((out / "shortcuts.json").read_text())["remarks"][-1].startswith("Interrupted: 3 of 8")
    assert main([*given, str(out), "--resume"]) == 0 and len(weighed) == 9
    for name in ("shortcuts.json", "report.html"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_without_a_shortcut_the_evidence_is_in_the_signs(honest: Toy, tmp_path: Path) -> None:
    for one in find_shortcuts(honest.checkpoint, honest.data, out=tmp_path, limit=3):
        assert one.share < 0.25 and one.things == 3


def test_where_signs_are(honest: Toy) -> None:
    dataset: SignSet = read_classes(honest.data)
    assert not within(dataset, (64, 64))[:, DOT[1] : 6, DOT[0] : 6].any()
    assert within(dataset, (64, 64))[:, 32, 5:59].all() and not within(dataset, (64, 64))[:, 32, :3].any()
    corner = ((0.5, 0.1), (0.9, 0.9), (0.1, 0.9))
    known = SignSet("known", ("triangle", "disc"), (), box_margin=0.1, outlines={0: corner, 1: ()})
    triangle, disc = within(known, (64, 64))
    assert triangle[54, 10] and not triangle[16, 10]
    assert disc[32, 3] and not disc[3, 3] and not disc[32, 0]


def test_things_with_more_evidence_count_more() -> None:
    def thing(label: str, outside: float, total: float, *, is_blind: bool = False) -> Finding:
        def never() -> Question:
            raise AssertionError

        return Finding(Sample(Path(label), label, never), Evidence(outside, total, 0.3, is_blind))

    found = [
        thing("a", 1.0, 10.0),
        thing("b", 0.9, 1.0),
        thing("b", 0.1, 9.0, is_blind=True),
        thing("c", 0.0, 0.0),
    ]
    a, b, c = sorted(ranked(found), key=lambda one: one.label)
    assert (a.share, a.things, b.things) == (0.1, 1, 2)
    assert np.isclose(b.share, 0.1) and b.worst is found[1] and b.blind == 0.5
    assert (c.share, c.worst.share) == (0.0, 0.0)


def test_a_damaged_picture_is_named(honest: Toy, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for part in ("train", "val"):
        for shape in SHAPES:
            (tmp_path / part / shape).mkdir(parents=True)
            source = honest.data / part / shape / "0.png"
            cv2.imwrite(str(tmp_path / part / shape / "0.png"), cv2.imread(str(source)))
    (tmp_path / "val" / "ring" / "0.png").write_bytes(b"\x89PNG\r\n\x1a\n damaged")
    out = tmp_path / "out"
    arguments = ["explain", str(honest.checkpoint), str(tmp_path), "--shortcuts", "--out", str(out)]
    assert main(arguments) == 1
    assert str(tmp_path / "val" / "ring" / "0.png") in capsys.readouterr().err
