"""Notebooks are short where tests run them, and nowhere else."""

import pytest

from course.length import length


@pytest.mark.parametrize(("value", "steps"), [("1", 3), ("0", 200), ("", 200), (None, 200)])
def test_only_1_makes_a_notebook_short(
    value: str | None, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PERCEPTION_COURSE_SHORT", raising=False)
    if value is not None:
        monkeypatch.setenv("PERCEPTION_COURSE_SHORT", value)
    assert length(200, short=3) == steps
