"""The examples in the documentation run as they are."""

import os
import re
import shlex
import shutil
from pathlib import Path

import pytest

from perception.commands import cli
from training import __main__ as training

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


def test_your_own_track_in_an_afternoon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    for folder in ("demo", "models", "training"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    monkeypatch.chdir(tmp_path)
    ran = []
    for program, *arguments in commands("docs/own-track.md"):
        if program == "cp":
            shutil.copy(*arguments)
        elif program == ".venv/bin/perception":
            assert cli.main(arguments) == 0, arguments
        else:
            assert arguments[:2] == ["-m", "training"]
            quick = (
                ["--trainer.max_epochs=1", "--trainer.check_val_every_n_epoch=1", "--data.steps=2"]
                if arguments[2] == "fit"
                else []
            )
            assert training.main([*arguments[2:], *quick]) == 0, arguments
        ran.append(arguments)
    assert len(ran) == 8
    said = capsys.readouterr().out
    assert re.search(r"val_miou: 0\.\d+ before, now 0\.\d+", said)
    assert Path("out/compared/report.html").is_file()
    assert "segmentation" in Path("out/track.yaml").read_text(encoding="utf-8")


def commands(page: str) -> list[list[str]]:
    """The commands of this project in the indented blocks of a page, as words."""
    text = (ROOT / page).read_text(encoding="utf-8").replace("\\\n", " ")
    return [shlex.split(line) for line in re.findall(r"^    ((?:\.venv/bin/|cp ).*)$", text, re.MULTILINE)]
