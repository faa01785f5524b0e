"""The examples in the documentation run as they are."""

import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("page", ["README.md", "docs/python.md"])
def test_the_examples_in_python_run(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    for folder in ("demo", "models"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    monkeypatch.chdir(tmp_path)  # for what they write
    examples = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    for example in examples:
        exec(example, {})
    assert examples
    assert "Roundabout" in capsys.readouterr().out
    assert page == "README.md" or {"road.jpg", "signs.jpg"} <= {*os.listdir(tmp_path)}
