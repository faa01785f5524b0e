"""A fleet gives what one machine gives, goes on where it was, and names what is broken."""

from __future__ import annotations

import argparse
import errno
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from rich.console import Console

from perception.commands import fleet
from perception.commands.cli import main
from perception.errors import InputError, PerceptionError
from perception.fleet import job
from perception.fleet.cluster import share
from perception.fleet.job import DONE, FAILED, Did, Entry, Given
from perception.fleet.ledger import Ledger
from perception.fleet.processing import process
from perception.recordings.bag import BagReader
from tests.bags import damage
from tests.conftest import solid
from training.__main__ import main as training

pytestmark = pytest.mark.usefixtures("ray")
MASK = "/segmentation/mask"
ONE = ("--workers", "1")  # each takes seconds to start


def content(folder: Path) -> dict[str, bytes]:
    """All files but the ledger's; the page without times and the day."""
    files = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    for name in (DONE, FAILED):
        files.pop(name, None)
    for name, data in files.items():
        if name.endswith(".html"):
            files[name] = re.sub(rb"\d+\.\d\d</td|\d{4}-\d\d-\d\d \d\d:\d\d UTC", b"", data)
    return files


def entry(out: Path, name: str) -> Entry:
    return Entry.from_json((out / name / DONE).read_text())


def table(out: Path) -> list[dict[str, Any]]:
    from pyarrow import parquet

    return parquet.read_table(out / "drives.parquet").to_pylist()


def fleet_run(drives: object, out: Path, models: list[str], *more: str) -> int:
    given = drives if isinstance(drives, list) else [drives]
    return main(["run", *map(str, given), "--ray", "--out", str(out), *models, *more])


def test_it_gives_what_one_machine_gives_and_does_nothing_twice(
    drives: list[Path], tmp_path: Path, models: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out, *given = tmp_path / "out", *drives[:2]
    assert fleet_run(given, out, models) == 0
    for path in given:
        assert main(["run", str(path), "--out", str(tmp_path / path.name), *models]) == 0
        assert content(out / path.name) == content(tmp_path / path.name)
    assert [(row["name"], row["state"], row["frames"], row["tries"]) for row in table(out)] == [
        ("red", "done", 8, 1),
        ("green", "done", 8, 1),
    ]
    before = [(out / path.name / DONE).stat().st_mtime_ns for path in given]
    capsys.readouterr()
    assert fleet_run(tmp_path / "drives" / "*e*", out, models) == 0  # also blue and noise
    assert [(out / path.name / DONE).stat().st_mtime_ns for path in given] == before
    assert "4 drives, 2 done in" in (said := capsys.readouterr().err) and "2 done before" in said
    assert {row["name"]: row["frames"] for row in table(out)} == {
        "red": 8,
        "green": 8,
        "blue": 8,
        "noise": 30,
    }
    assert fleet_run(given, out, models, "--overlay", "none") == 1  # but not with others' results
    assert "done with overlay (none), and now it is none" in capsys.readouterr().err
    assert not list(out.glob(".*"))


def test_a_broken_drive_is_tried_again_and_named_and_the_others_are_done(
    drives: list[Path], tmp_path: Path, models: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    red, *_, noise = drives
    (whole,) = noise.glob("*.mcap")
    kept, out = whole.read_bytes(), tmp_path / "out"
    damage(noise)
    assert fleet_run([noise, red], out, models, *ONE) == 1
    said = capsys.readouterr().err
    assert f"{noise}: failed after 2 tries: " in said and "damaged in the record" in said
    assert "2 drives, 1 done" in said and f"are in {out}/noise/report.html" in said
    assert [(row["name"], row["state"], row["tries"]) for row in table(out)] == [
        ("noise", "failed", 2),
        ("red", "done", 1),
    ]
    with BagReader(out / "noise" / "results") as results:  # as on one machine
        assert 0 < results.count(MASK) < 30
    whole.write_bytes(kept)
    assert fleet_run([f"file://{red}"], tmp_path / "urls", models, *ONE) == 0
    assert main(["run", str(red), "--out", str(tmp_path / "one"), *models]) == 0
    assert content(tmp_path / "urls" / "red") == content(tmp_path / "one")
    assert fleet_run([noise, red], out, models, *ONE) == 0
    with BagReader(out / "noise" / "results") as results:
        assert results.count(MASK) == 30
    assert (out / "noise" / DONE).exists() and not (out / "noise" / FAILED).exists()


@dataclass(frozen=True)
class Hanging:
    """``run``, but the first worker that has green's results does not come to an end."""

    real: fleet.Run
    marks: Path

    def settings(self, number: int) -> Mapping[str, str]:
        return self.real.settings(number)

    @contextmanager
    def opened(self) -> Iterator[job.Work]:
        with self.real.opened() as real:

            def work(drive: Given, path: Path, folder: Path) -> Did:
                did = real(drive, path, folder)
                mark = self.marks / drive.name
                if drive.name == "green" and not mark.exists():
                    mark.write_text(str(os.getpid()))
                    time.sleep(100)
                return did

            yield work


def options(drives: list[Path], out: Path, models: list[str]) -> argparse.Namespace:
    """As the command line gives them."""
    return argparse.Namespace(
        inputs=drives,
        out=out,
        address=None,
        workers=2,
        device="cpu",
        boxes=None,
        rois=None,
        topic=None,
        overlay="none",
        **{name[2:]: path for name, path in zip(models[::2], models[1::2], strict=True)},
    )


def test_a_worker_that_is_killed_in_mid_run_loses_nothing(
    drives: list[Path], tmp_path: Path, models: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    out, marks = tmp_path / "out", tmp_path / "marks"
    marks.mkdir()
    own = options(drives[:3], out, models)

    def kill() -> None:
        while not (marks / "green").exists() or not (marks / "green").read_text():
            time.sleep(0.05)
        os.kill(int((marks / "green").read_text()), signal.SIGKILL)

    threading.Thread(target=kill, daemon=True).start()
    entries = process(Hanging(fleet.Run(own), marks), own, Console(quiet=True))
    assert [(one.name, one.state, one.tries) for one in entries] == [
        ("red", "done", 1),
        ("green", "done", 2),
        ("blue", "done", 1),
    ]
    killed = int((marks / "green").read_text())
    assert not entries[1].worker.endswith(f":{killed}") and "green: done by" in caplog.text
    arguments = ["run", str(drives[1]), "--out", str(tmp_path / "one"), *models, "--overlay", "none"]
    assert main(arguments) == 0
    assert content(out / "green") == content(tmp_path / "one")
    assert not list(out.glob(".*"))


class Deadly:
    """Ends the process of each worker that begins with green."""

    def settings(self, number: int) -> Mapping[str, str]:
        return {}

    @contextmanager
    def opened(self) -> Iterator[job.Work]:
        def work(drive: Given, path: Path, folder: Path) -> Did:
            if drive.name == "green":
                os.kill(os.getpid(), signal.SIGKILL)
            return Did(1)

        yield work


def test_a_drive_that_kills_its_workers_does_not_stop_the_others(drives: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    own = argparse.Namespace(inputs=drives, out=out, address=None, workers=1, device="cpu")
    entries = {one.name: one for one in process(Deadly(), own, Console(quiet=True))}
    green = entries.pop("green")
    assert (green.state, green.tries) == ("failed", 2) and "the worker ended in the middle" in green.error
    assert {(one.state, one.did.frames) for one in entries.values()} == {("done", 1)} and len(entries) == 3


class Unable:
    """Cannot open its models on the machines of the cluster."""

    def settings(self, number: int) -> Mapping[str, str]:
        return {}

    @contextmanager
    def opened(self) -> Iterator[job.Work]:
        raise PerceptionError("there is no such device here")
        yield


def test_a_worker_that_cannot_begin_says_why(drives: list[Path], tmp_path: Path) -> None:
    own = argparse.Namespace(inputs=drives, out=tmp_path / "out", address=None, workers=1, device="cpu")
    with pytest.raises(PerceptionError, match="the fleet stopped: there is no such device here; the same"):
        process(Unable(), own, Console(quiet=True))
    assert not list((tmp_path / "out").glob(".*"))


def test_evaluate_says_what_it_says_on_one_machine(
    drives: list[Path], tmp_path: Path, models: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    expected = tmp_path / "expected.yaml"
    expected.write_text("frames:\n  good: {min: 8}\nsigns:\n  seen:\n    - {label: Green, min: 1}\n")
    words = ["evaluate", *map(str, drives[:2]), "--expect", str(expected), *models]
    code = main([*words, "--junit", str(tmp_path / "one.xml")])
    one = capsys.readouterr().out
    fleet_words = ["--junit", str(tmp_path / "many.xml"), "--ray", "--out", str(tmp_path / "out"), *ONE]
    for _ in range(2):  # the second time from what is there
        assert main([*words, *fleet_words]) == code == 3
        assert capsys.readouterr().out.replace("many.xml", "one.xml") == one
        times = re.compile(r' time="[0-9.]*"')
        many, single = (times.sub("", (tmp_path / name).read_text()) for name in ("many.xml", "one.xml"))
        assert many == single
    assert [row["unmet"] for row in table(tmp_path / "out")] == [1, 0]
    damage(drives[3])
    words[1:3] = map(str, drives[2:])
    assert main([*words, "--ray", "--out", str(tmp_path / "out"), *ONE]) == 1
    assert f"{drives[3]}: not checked: " in capsys.readouterr().out


def test_what_no_model_can_show_is_named_before_ray_begins(
    drives: list[Path], tmp_path: Path, models: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    expected, out = tmp_path / "expected.yaml", tmp_path / "out"
    expected.write_text("frames:\n  good: {min: 8}\nsigns:\n  seen:\n    - {label: Purple, min: 1}\n")
    words = ["evaluate", *map(str, drives[:2]), "--expect", str(expected), *models]
    assert main(words) == 1
    alone = capsys.readouterr().err
    assert main([*words, "--ray", "--out", str(out)]) == 1
    assert "has no class 'Purple'" in alone and capsys.readouterr().err == alone
    assert not out.exists()


def test_extract_picks_what_it_picks_on_one_machine(tmp_path: Path, segmentation_model: Path) -> None:
    for name, colors in (("a", ("Red", "Green")), ("b", ("Blue", "Red"))):
        (tmp_path / name).mkdir()
        for number in range(6):
            cv2.imwrite(str(tmp_path / name / f"{number}.png"), solid(colors[number % 2]))
    words = ["--count", "2", "--model", str(segmentation_model)]
    given = [str(tmp_path / name) for name in "ab"]
    assert training(["extract", *given, "--ray", "--out", str(tmp_path / "out"), *words, *ONE]) == 0
    for name in "ab":
        alone = tmp_path / f"{name}_alone"
        assert training(["extract", str(tmp_path / name), "--out", str(alone), *words]) == 0
        assert content(tmp_path / "out" / name) == content(alone)
        assert len(list((alone / "masks").iterdir())) == 2


def test_a_cluster_that_is_not_there_is_named_at_once(
    drives: list[Path], tmp_path: Path, models: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    assert fleet_run(drives[0], tmp_path / "out", models, "--address", address) == 1
    assert f"--address {address}: nothing answers there" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_locked_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def flock(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("perception.fleet.ledger.fcntl.flock", flock)
    with Ledger(tmp_path / "out", "first").opened():
        assert "out: cannot be locked ([Errno 37] No locks available); start no second" in caplog.text


def test_a_second_command_in_the_same_folder_is_refused(drives: list[Path], tmp_path: Path) -> None:
    own = argparse.Namespace(inputs=drives[:1], out=tmp_path / "out", address=None, workers=1, device="cpu")
    with Ledger(tmp_path / "out", "first").opened():
        with pytest.raises(InputError, match="out: another command works in it; wait"):
            process(Deadly(), own, Console(quiet=True))
        assert (tmp_path / "out" / ".fleet-first").exists()
    assert process(Deadly(), own, Console(quiet=True))[0].state == "done"


def test_what_is_missing_is_named_also_where_the_folder_is_there(
    drives: list[Path], tmp_path: Path, models: list[str], monkeypatch: Any, capsys: Any
) -> None:
    (tmp_path / "out").mkdir()
    for name in ("ray", "pyarrow"):
        monkeypatch.setitem(sys.modules, name, None)
    assert fleet_run(drives[0], tmp_path / "out", models) == 1
    assert "--ray needs Ray" in capsys.readouterr().err


def test_a_model_that_cannot_be_used_ends_it_before_ray_begins(
    drives: list[Path], tmp_path: Path, segmentation_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fleet_run(drives, tmp_path / "out", ["--signs", str(segmentation_model)]) == 1
    assert "cannot serve as --signs" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_results_of_others_stay(
    drives: list[Path], tmp_path: Path, models: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out" / "red").mkdir(parents=True)
    assert fleet_run(drives[0], tmp_path / "out", models) == 1
    assert f"without a whole {DONE}" in capsys.readouterr().err and not list((tmp_path / "out/red").iterdir())


class _Cluster:
    """Machines with so many cores and GPUs, as Ray describes them."""

    def __init__(self, *machines: tuple[int, int]) -> None:
        self._machines = machines

    def cluster_resources(self) -> dict[str, float]:
        cpus, gpus = map(sum, zip(*self._machines, strict=True))
        return {"CPU": float(cpus), "GPU": float(gpus)} if gpus else {"CPU": float(cpus)}

    def nodes(self) -> list[dict[str, Any]]:
        return [{"Resources": {"CPU": float(cpus), "GPU": float(gpus)}} for cpus, gpus in self._machines]


def test_how_a_cluster_is_shared_out() -> None:
    small, large = _Cluster((4, 0), (16, 0)), _Cluster((16, 2), (16, 2))
    assert [getattr(share(small, None, device="auto"), name) for name in ("workers", "cpus")] == [20, 1.0]
    assert share(small, 2, device="auto").threads == 4  # more would fit on no machine but one
    with_gpus = share(large, None, device="auto")
    assert (with_gpus.workers, with_gpus.gpus, with_gpus.threads) == (4, 1.0, 8)
    assert share(large, None, device="cpu").gpus == 0.0
    assert np.isclose(share(small, 40, device="auto").cpus, 0.5)
