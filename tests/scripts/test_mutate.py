"""Changes to a small module of the test's own: which are made, and which of them its tests notice."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import mutate

MODULE = "perception/toy.py"
CODE = """
from __future__ import annotations
from functools import lru_cache

@lru_cache(maxsize=1)
def is_far(metres: int | None, *, limit: int = 3) -> bool:
    return metres >= limit

def pairs(names: list[str]) -> dict[str, int]:
    return dict(zip(names, range(2), strict=True))
"""
LINES = {
    "has a default": "def is_far(metres: int | None, *, limit: int = 3) -> bool:",
    "compares": "    return metres >= limit",
    "has no test": "    return dict(zip(names, range(2), strict=True))",
}
TESTS = """
from perception.toy import is_far

def test_it_is_far_from_three_on():
    assert is_far(3) and not is_far(2)
"""


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with one module, of which one function has a test."""
    files = {
        "perception/__init__.py": "",
        MODULE: CODE,
        "tests/test_toy.py": TESTS,
        "pytest.ini": "[pytest]\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_no_test_notices_is_found_and_the_code_is_as_it_was(toy: Path) -> None:
    assert mutate.passes(MODULE, seconds=60) == (MODULE, "")
    at = {name: CODE.splitlines().index(line) + 1 for name, line in LINES.items()}
    by_line = {place[0].start_pos[0]: place for place in mutate.changes(MODULE)}
    assert set(by_line) == set(at.values())  # no annotation, star before limit, decorator or strict
    verdict = mutate.judge(by_line[at["compares"]][0], seconds=60)
    assert verdict.noticed and verdict.lines == ("-    return metres >= limit", "+    return metres > limit")
    assert not mutate.judge(by_line[at["has no test"]][0], seconds=60).noticed
    assert (toy / MODULE).read_text() == CODE


@pytest.mark.usefixtures("toy")
def test_a_seed_names_the_draw() -> None:
    one, two = (mutate.draw([MODULE], seed=3, count=2) for _ in range(2))
    assert one == two and len(one) == 2
    assert (
        len(mutate.draw([MODULE], seed=3, count=0)) == len(mutate.changes(MODULE)) == 3
    )  # one at each place


def test_the_modules_that_are_changed_have_tests_of_their_own() -> None:
    assert set(mutate.ALSO) <= set(mutate.MODULES)
    assert all(mutate.tests_of(module) for module in mutate.MODULES)
    assert all(Path(name).exists() for names in mutate.ALSO.values() for name in names)
