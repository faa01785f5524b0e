"""One command line: what is wrong ends in one line and an exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.fits import training
from training import fit as training_fit
from training.__main__ import main

COMMANDS = (
    *("extract", "labels", "signs-from-artwork", "check", "audit", "fit", "sweep", "export", "quantize"),
    *("evaluate", "corrupt", "attack", "explain", "profile"),
)


def test_what_a_user_can_fix_ends_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = training("evaluate", tmp_path / "none.onnx", tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("python -m training evaluate: ")
    assert "none.onnx" in done.stderr and "Traceback" not in done.stderr
    assert main(["export", str(tmp_path / "none.ckpt"), str(tmp_path / "m.onnx")]) == 1
    line, end = capsys.readouterr().err.split("\n")
    assert "none.ckpt" in line and not end


def test_without_a_command_it_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in listed if line.startswith("    ")}.issuperset(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_a_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    assert end.value.code == 0
    assert f"python -m training {'[options] ' * (command == 'fit')}{command}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [["no-such-command"], ["--version"], ["check"], ["export", "a", "b", "--odd"], ["fit", "--odd=1"]],
)
def test_a_wrong_usage_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert capsys.readouterr().err


@pytest.mark.parametrize("option", ["--model.help", "--data.help"])
def test_fit_explains_models_and_data(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    of = {"--model.help": "training.signs.task.SignTask", "--data.help": "training.signs.data.SignData"}
    with pytest.raises(SystemExit) as end:
        main(["fit", option, of[option]])
    assert end.value.code == 0
    listed = capsys.readouterr().out
    assert ("--model.attack.radius" if option == "--model.help" else "--data.root") in listed


def test_fit_gets_all_other_arguments_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    given = []
    monkeypatch.setattr(training_fit, "fit", lambda arguments: given.extend(arguments) or [])
    arguments = ["--config", "a.yaml", "--data.root", "a b", "--trainer.max_epochs=2", "-h", "x"]
    assert main(["fit", *arguments]) == 0
    assert given == arguments


def test_ctrl_c_ends_a_command_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("training.profile.profile", interrupted)
    assert main(["profile", str(tmp_path / "model.onnx")]) == 130
    assert capsys.readouterr().err == "python -m training profile: stopped\n"
