"""The command ``perception stack``."""

from __future__ import annotations

import pytest

from perception.commands import cli

pytest.importorskip("rclpy", reason="the nodes need ROS 2")


def test_what_follows_ros_args_goes_to_the_nodes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = []
    monkeypatch.setattr("perception.nodes.stack.main", lambda args: given.append(args) or 0)
    words = ["--ros-args", "-p", "signs:boxes:=frame", "-r", "__ns:=/car"]
    assert cli.main(["stack", *words]) == 0
    assert cli.main(["stack"]) == 0
    assert given == [["stack", *words], ["stack"]]
    with pytest.raises(SystemExit, match="2"):
        cli.main(["info", "model.onnx", *words])
    assert "only stack takes --ros-args" in capsys.readouterr().err
