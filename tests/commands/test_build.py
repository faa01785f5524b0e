"""``perception build`` with NVIDIA's own builder, and as a process that a signal ends."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from perception.commands.cli import main
from perception.engines.cache import folder
from tests import gpu

PATIENCE_S = 90.0


@pytest.fixture(autouse=True)
def _cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_it_says_where_the_engine_is_and_that_it_is_there(
    signs_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx has no wheel for this machine")
    assert main(["build", "--for", "8.9", str(signs_model)]) == 0
    (kept,) = folder().glob("*.engine")
    said = capsys.readouterr().out
    assert said.startswith("signs.onnx: built in ") and said.endswith(f" s: {kept}\n")
    assert main(["build", "--for", "8.9", str(signs_model)]) == 0
    assert capsys.readouterr().out == f"signs.onnx: there already: {kept}\n"


def test_a_missing_file_is_reported_before_anything_is_built(
    signs_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gpu.install(monkeypatch.setattr)
    assert main(["build", str(signs_model), "nowhere.onnx"]) == 1
    assert "perception: nowhere.onnx: no such file" in capsys.readouterr().err
    assert not list(folder().glob("*.engine"))


def test_without_names_it_builds_what_the_nodes_take(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gpu.install(monkeypatch.setattr)
    assert main(["build"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["signs.onnx", "segnet.onnx", "sign_detector.onnx"]


def test_models_are_given_as_to_the_nodes(
    signs_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gpu.install(monkeypatch.setattr)
    folder_of_one = str(signs_model.parent)
    assert main(["build", "--signs", folder_of_one, "--segmentation", "track", "--detector", "none"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["signs.onnx", "track.onnx"]
    assert main(["build", "--signs", "none", "--segmentation", "none", "--detector", "none"]) == 1
    assert "nothing to build" in capsys.readouterr().err


def test_an_engine_that_cannot_be_kept_is_an_error(
    signs_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gpu.install(monkeypatch.setattr)
    (tmp_path / "cache").write_text("a file where a folder should be")
    assert main(["build", str(signs_model)]) == 1
    assert "cache" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["89", "8.x", "8.10"])
def test_a_compute_capability_has_two_numbers(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["build", "--for", text])
    assert f"'{text}' is no compute capability such as 8.9" in capsys.readouterr().err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_while_it_builds(
    signs_model: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    program = (
        "import signal, sys, tests.gpu\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "build = tests.gpu.builder.build\n"
        "def announced(*args, **kwargs):\n"
        "    print('building', flush=True)\n"
        "    return build(*args, **kwargs)\n"
        "tests.gpu.builder.build = announced\n"
        "from perception.commands.cli import main\n"
        "sys.exit(main(['build', sys.argv[1]]))\n"
    )
    command = [sys.executable, "-c", program, str(signs_model)]
    environment = gpu.environment(tmp_path, FAKE_GPU_BUILD_S="600")
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "building\n"
        began = time.monotonic()
        process.send_signal(number)
        assert process.wait(PATIENCE_S) == code
        assert time.monotonic() - began < 10.0
    assert not list(folder().glob("*.engine"))
