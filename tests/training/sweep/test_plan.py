"""The YAML file of a sweep is short, and what is wrong with it is named."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest

from tests.training.fits import ROOT
from training.datasets.images import DataError
from training.sweep.plan import Choice, Prune, Range, as_arguments, read_plan

GOOD = """
config: training/configs/signs.yaml
metric: val_accuracy
search:
  model.lr: {low: 0.001, high: 0.1, log: true}
  model.muon: [true, false]
  data.size: {low: 32, high: 64, step: 16}
  data.rooms: [[a, b], null]
"""


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def written(folder: Path, text: str) -> Path:
    (folder / "mine.yaml").write_text(text)
    return folder / "mine.yaml"


def test_settings_are_picked_from_where_the_file_says(tmp_path: Path) -> None:
    plan = read_plan(written(tmp_path, GOOD))
    assert (plan.name, plan.direction, plan.sampler, plan.prune) == ("mine", "maximize", "tpe", Prune())
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(0))
    picked = [plan.pick(study.ask()) for _ in range(40)]
    assert all(0.001 <= one["model.lr"] <= 0.1 for one in picked)
    assert sum(one["model.lr"] < 0.01 for one in picked) > 10  # half of them, on a logarithmic scale
    assert {one["data.size"] for one in picked} == {32, 48, 64}
    assert {one["model.muon"] for one in picked} == {True, False}
    assert ["a", "b"] in [one["data.rooms"] for one in picked]
    assert as_arguments(
        {"model.muon": True, "data.rooms": ["a", "b"], "x": None, "trainer.precision": "32-true"}
    ) == [
        "--model.muon=true",
        '--data.rooms=["a", "b"]',
        "--x=null",
        "--trainer.precision=32-true",
    ]


def test_every_end_and_choice_is_in_a_corner(tmp_path: Path) -> None:
    corners = list(read_plan(written(tmp_path, GOOD)).corners())
    assert {corner["data.size"] for corner in corners} == {32, 64}
    assert [corner["data.rooms"] for corner in corners] == [["a", "b"], None]
    assert Choice(("1", "2", "3")).ends() == (1, 2, 3) and Range(0.1, 0.2).ends() == (0.1, 0.2)


def test_the_shipped_files_can_be_read() -> None:
    for file in sorted((ROOT / "training/configs/sweeps").glob("*.yaml")):
        plan = read_plan(file)
        assert plan.prune and plan.trials >= 20 and len(plan.search) >= 3


@pytest.mark.parametrize(
    ("old", "new", "clue"),
    [
        ("metric: val_accuracy", "", "'metric' is missing"),
        ("metric:", "metrik:", "no entry 'metrik'"),
        ("signs.yaml", "sings.yaml", "no config .*sings.yaml"),
        ("{low: 0.001, high: 0.1, log: true}", "0.1", r"search.model.lr is 0.1; expected values"),
        ("{low: 0.001, high: 0.1, log: true}", "{low: 0.1, high: 0.001}", "search.model.lr"),
        ("{low: 0.001, high: 0.1, log: true}", "{low: 0, high: 0.1, log: true}", "low is above 0"),
        ("{low: 0.001, high: 0.1, log: true}", "{low: 1e-3, high: abc}", "search.model.lr"),
        ("[true, false]", "[true]", "search.model.muon"),
        ("search:", "sampler: best\nsearch:", "sampler is 'best'; choose one of tpe, random"),
        ("search:", "trials: 0\nsearch:", "trials is 0"),
        ("search:", "prune: {after: 2, keep: 3}\nsearch:", "prune is"),
        ("search:", "prune: {when: 0.1}\nsearch:", "prune is"),
        ("search:", "search: {}\nothers:", "no entry 'others'"),
        ("config:", "config: [", "is not YAML"),
    ],
)
def test_a_mistake_is_named(old: str, new: str, clue: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=clue) as caught:
        read_plan(written(tmp_path, GOOD.replace(old, new, 1)))
    assert "mine.yaml" in str(caught.value)
