"""Topics are named and offered the same wherever they are mentioned."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path

import pytest

from perception import tasks, topics

REPLAY = Path(__file__).parents[1] / "launch" / "replay.launch.py"


def result_topics() -> list[str]:
    names = [topic.name for task in tasks.shipped() for topic in topics.of_task(task).results]
    return names + [topics.label_info_name(task) for task in tasks.shipped()]


def constant(name: str) -> str:
    """A constant of the launch file, which cannot be imported without a sourced ROS."""
    for node in ast.parse(REPLAY.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == name:
            return ast.literal_eval(node.value)
    pytest.fail(f"{REPLAY} has no {name}")


def test_a_replay_records_every_result_and_nothing_that_it_plays() -> None:
    recorded = re.compile(constant("RESULTS"))
    for name in result_topics():
        assert recorded.fullmatch(f"/{name}") and recorded.fullmatch(f"/car/{name}"), name
    assert recorded.fullmatch(topics.DIAGNOSTICS)
    for _, name in topics.CAMERA.values():
        assert not recorded.fullmatch(f"/camera/{name}")
    assert not recorded.fullmatch(f"/camera/{topics.ROIS}")


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"ROS_DISTRO": "jazzy", "ROS_LOCALHOST_ONLY": "1"},
        {"ROS_DISTRO": "humble"},
        {"ROS_DISTRO": "humble", "ROS_LOCALHOST_ONLY": "1"},
    ],
)
def test_a_replay_carries_large_messages_as_the_nodes_do(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    middleware = pytest.importorskip("perception.nodes.middleware")
    source = REPLAY.read_text(encoding="utf-8")
    functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    (function,) = [node for node in functions if node.name == "large_messages"]
    scope = {"os": os, "CONFIG": REPLAY.parents[1] / "config"}
    exec(compile(ast.Module([function], []), str(REPLAY), "exec"), scope)
    for name in ("ROS_DISTRO", "ROS_LOCALHOST_ONLY", middleware.FAST_DDS_PROFILES):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert scope["large_messages"]() == {
        middleware.FAST_DDS_PROFILES: middleware.fast_dds_profiles(os.environ)
    }
    monkeypatch.setenv(middleware.FAST_DDS_PROFILES, "mine.xml")
    assert scope["large_messages"]() == {}
