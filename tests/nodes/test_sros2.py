"""The SROS 2 policies in config/sros2 give each node what it uses, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from xml.etree import ElementTree

import pytest
from rclpy.node import Node
from rclpy.parameter import Parameter

from perception import topics
from perception.ground.topics import GROUND
from perception.tasks import TASKS, resolve
from tests.ros import ROOT

NODES = [name for name, task in TASKS.items() if task.node]
# What a node subscribes to depends on its parameters.
OPTIONS: dict[str, tuple[dict[str, Any], ...]] = {
    "signs": ({}, {"image_transport": "compressed", "boxes": "rois", "use_sim_time": True}),
    "segmentation": (
        {"ground": True, "camera_height_m": 0.2, "drivable": "Red"},
        {"image_transport": "compressed", "use_sim_time": True},
    ),
}
TF = {"/tf", "/tf_static"}  # with ground_frame, which needs messages that are not among the wheels
Rights = dict[str, set[str]]


def allowed(name: str) -> Rights:
    """What a policy allows, with full names as SROS 2 makes them."""
    (profile,) = ElementTree.parse(ROOT / "config" / "sros2" / f"{name}.xml").iter("profile")
    prefix, own = profile.attrib["ns"], profile.attrib["node"]
    rights: Rights = {"publish": set(), "subscribe": set(), "reply": set()}
    for group in profile:
        for right, rule in group.attrib.items():
            assert rule == "ALLOW"
            names = [(one.text or "").replace("~", f"{prefix}{own}", 1) for one in group]
            assert len(set(names)) == len(names)
            rights[right] |= {one if one.startswith("/") else f"{prefix}{one}" for one in names}
    return rights


def used(node: Node, right: str) -> set[str]:
    """What a running node really has, by the graph."""
    asked: dict[str, Callable[..., Iterable[tuple[str, Any]]]] = {
        "publish": node.get_publisher_names_and_types_by_node,
        "subscribe": node.get_subscriber_names_and_types_by_node,
        "reply": node.get_service_names_and_types_by_node,
    }
    return {name for name, _ in asked[right](node.get_name(), node.get_namespace())}


@pytest.mark.parametrize("name", NODES)
def test_a_policy_gives_exactly_what_its_node_has(
    peer, name, signs_model, detector_model, segmentation_model
):
    files = {"signs": signs_model, "segmentation": segmentation_model}
    found: Rights = {"publish": set(), "subscribe": set(), "reply": set()}
    for options in OPTIONS[name]:
        given = {"model": str(files[name]), **options}
        if name == "signs":
            given["detector"] = str(detector_model)
        parameters = [Parameter(key, value=value) for key, value in given.items()]
        node = resolve(TASKS[name].node)(parameter_overrides=parameters)
        try:
            node.trigger_configure()
            node.trigger_activate()
            peer.until(lambda node=node: used(node, "subscribe"), "the graph")
            for right in found:
                found[right] |= used(node, right)
        finally:  # a node that stays would be seen by the tests behind this one
            node.destroy_node()

    if name == "segmentation":
        found["subscribe"] |= TF
    assert found == allowed(name)


@pytest.mark.parametrize("name", NODES)
def test_a_policy_has_every_topic_of_its_task(name):
    results = {f"/{topic.name}" for topic in topics.of_task(name).results}
    always = {f"/{topics.label_info_name(name)}", f"/{topics.overlay_name(name)}", topics.DIAGNOSTICS}
    own = {f"/{name}/transition_event", "/parameter_events", "/rosout"}
    of_ground = {f"/{topic.name}" for topic in GROUND} if name == "segmentation" else set()
    assert allowed(name)["publish"] == results | always | own | of_ground
