"""A disk that is full: commands name what they could not write, and leave no half of it behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.bags import RAW, raw, write_bag
from tests.conftest import COLORS, solid

ROOT = Path(__file__).parents[2]
# The system then refuses what is more, with an error like that of a full disk.
LIMITED = """
import resource, sys
from perception.commands import cli
limit = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.fixture
def arguments(tmp_path: Path, signs_model: Path, segmentation_model: Path) -> list[str]:
    """A run over a small bag, which writes a bag of results and a report."""
    frames = [(RAW, raw(solid(COLORS[i % 3], 240, 320), i)) for i in range(6)]
    bag = write_bag(tmp_path / "bag", frames)
    models = ["--signs", str(signs_model), "--segmentation", str(segmentation_model), "--boxes", "frame"]
    return ["run", str(bag), "--out", str(tmp_path / "out"), "--device", "cpu", *models]


def limited(limit: int, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", LIMITED, str(limit), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)


@pytest.mark.parametrize(
    ("limit", "problem", "whole"),
    [
        (4_300, "results", ["000000.jpg"]),  # the next picture is larger
        (20_000, "report.html", [f"{number:06d}.jpg" for number in range(6)]),
    ],
)
def test_run_names_what_it_could_not_write_and_leaves_no_half_of_a_file(
    tmp_path: Path, arguments: list[str], limit: int, problem: str, whole: list[str]
) -> None:
    done = limited(limit, arguments)
    out = tmp_path / "out"
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f"File too large: '{out / problem}'" in done.stderr.splitlines()[-1]
    assert sorted(path.name for path in (out / "overlay").iterdir()) == whole
    assert sorted(path.name for path in out.iterdir()) == ["overlay", "results"]


def test_record_names_the_disk_that_has_no_room_and_leaves_nothing(full_disk: Path) -> None:
    command = [sys.executable, "-m", "perception", "record", str(full_disk / "drive.mcap")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 1
    assert f"{full_disk}: 0.0 MB are free; 200.0 MB have to stay" in done.stderr
    assert [path.name for path in full_disk.iterdir()] == ["full"]
