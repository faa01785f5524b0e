"""A run goes on where it was interrupted, if nothing has changed that decides its results."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from training.datasets.images import DataError
from training.pieces import FILE, decided_by, kept

ABOUT = {"command": "count", "--limit": "4"}


def count(out: Path, *, stop_at: int = 4, resume: bool = False, about: dict[str, str] = ABOUT) -> list[int]:
    """Counts to four, one piece a number; returns those that it had to make."""
    made: list[int] = []

    def make(number: int) -> int:
        if number == stop_at:
            raise KeyboardInterrupt
        made.append(number)
        return number

    with kept(out, about, resume=resume) as pieces:
        assert [pieces.once(str(n), lambda n=n: make(n)) for n in range(4)] == [0, 1, 2, 3]
        pieces.is_over = True
    return made


def interrupted(out: Path) -> Path:
    with pytest.raises(KeyboardInterrupt):
        count(out, stop_at=3)
    return out / FILE


def test_it_goes_on_and_leaves_nothing_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = interrupted(tmp_path)
    assert f"{path} has what is finished; --resume goes on with it" in capsys.readouterr().out
    assert count(tmp_path, resume=True) == [3]
    assert f"{path}: goes on after 3 finished pieces" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
    assert count(tmp_path, resume=True) == [0, 1, 2, 3]
    assert f"there is no {path} of an interrupted run" in capsys.readouterr().out


def test_a_run_that_is_resumed_can_be_interrupted_again(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        count(tmp_path, stop_at=1)
    with pytest.raises(KeyboardInterrupt):
        count(tmp_path, stop_at=2, resume=True)
    assert count(tmp_path, resume=True) == [2, 3]


@pytest.mark.parametrize("torn", range(1, 22, 4))
def test_a_line_that_a_kill_has_torn_is_done_again(tmp_path: Path, torn: int) -> None:
    path = interrupted(tmp_path)
    os.truncate(path, path.stat().st_size - torn)
    with pytest.raises(KeyboardInterrupt):  # what is written behind it is whole
        count(tmp_path, stop_at=3, resume=True)
    assert len([json.loads(line) for line in path.read_text().splitlines()]) == 1 + 3
    assert count(tmp_path, resume=True) == [3]


@pytest.mark.parametrize("content", [b"", b'{"about": {"command"', b"[1]\n", b"\xff\n"])
def test_a_file_without_a_piece_begins_anew(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / FILE).write_bytes(content)
    assert count(tmp_path, resume=True) == [0, 1, 2, 3]
    assert "has no finished piece; begins anew" in capsys.readouterr().out


def test_a_run_with_other_options_is_not_resumed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = interrupted(tmp_path)
    with pytest.raises(DataError, match=r"begun with --limit 4, and now it is 5; give the same"):
        count(tmp_path, resume=True, about={**ABOUT, "--limit": "5"})
    assert len(path.read_text().splitlines()) == 1 + 3
    assert count(tmp_path, about={**ABOUT, "--limit": "5"}) == [0, 1, 2, 3]
    assert f"begins anew, over {path}" in capsys.readouterr().out


def test_a_damaged_piece_is_named(tmp_path: Path) -> None:
    path = interrupted(tmp_path)
    path.write_text(path.read_text().replace('"1", "is": 1', '"1", "is": {"array": "x"}'))
    with pytest.raises(DataError, match=r"pieces\.jsonl: the piece '1' is damaged"):
        count(tmp_path, resume=True)


def test_an_option_that_was_left_out_is_called_so(tmp_path: Path) -> None:
    about = decided_by("count", files=[], data=[], out=tmp_path, limit=None, max_steps=3)
    assert about["--limit"] == "(not given)" and about["--max-steps"] == "3"


def test_models_and_data_that_changed_are_noticed(tmp_path: Path) -> None:
    data, out, model = tmp_path / "data", tmp_path / "data" / "out", tmp_path / "m.onnx"
    (data / "labels").mkdir(parents=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (data / "linked").symlink_to(elsewhere)
    (data / "round").symlink_to(data)
    for path in (model, data / "labels" / "a.txt", elsewhere / "b.txt"):
        path.write_text("1")

    def about() -> dict[str, str]:
        return decided_by("count", files=[model], data=[data], out=out, limit=4)

    before = about()
    assert before["--limit"] == "4" and before["model"].startswith("m.onnx (")
    out.mkdir()
    (out / "report.html").write_text("results are no data")
    (data / ".hidden").write_text("nor is this")
    assert about() == before
    model.write_text("2")
    assert {name for name, value in about().items() if value != before[name]} == {"model"}
    for path in (data / "labels" / "a.txt", elsewhere / "b.txt"):
        before = about()
        path.write_text("22")
        assert {name for name, value in about().items() if value != before[name]} == {"data"}
