"""The parameter file has every parameter of every node, and each with its default."""

from __future__ import annotations

from typing import Any

import pytest
from ruamel.yaml import YAML

from perception.nodes.camera_node import CameraNode
from perception.tasks import TASKS, resolve
from tests.ros import ROOT


@pytest.mark.parametrize("task", [name for name, task in TASKS.items() if task.node])
def test_the_parameter_file_has_all_of_them_with_their_defaults(task: str) -> None:
    node: type[CameraNode] = resolve(TASKS[task].node)
    config: dict[str, Any] = YAML(typ="safe").load(ROOT / "config" / "perception.yaml")
    given = config[f"/**/{task}"]["ros__parameters"]
    assert given == {parameter.name: parameter.default for parameter in node.parameters}
    assert not given.keys() & node.gone.keys()
