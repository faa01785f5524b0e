"""Nodes: the lifecycle of a node of the graph and its parameters, over the services that any node has."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.settings import StudioError

if TYPE_CHECKING:  # it needs ROS 2, which need not be there
    from studio.live.graph import Graph

# lifecycle_msgs/msg/Transition and State have these numbers.
TRANSITIONS: Mapping[str, int] = {"configure": 1, "cleanup": 2, "activate": 3, "deactivate": 4}
FROM: Mapping[str, tuple[str, ...]] = {
    "unconfigured": ("configure",),
    "inactive": ("activate", "cleanup"),
    "active": ("deactivate",),
}
_CHANGE_S = 15.0  # a model is loaded meanwhile


def _flag(text: str) -> bool:
    return {"true": True, "false": False}[text.strip().lower()]


def _list(kind: type) -> Callable[[str], list[Any]]:
    def read(text: str) -> list[Any]:
        values = json.loads(text)
        if not isinstance(values, list):
            raise ValueError(text)
        if kind is float:
            values = [float(value) if type(value) is int else value for value in values]
        if any(type(value) is not kind for value in values):
            raise ValueError(text)
        return values

    return read


@dataclass(frozen=True)
class _Kind:
    """A type of parameters: its name, its field in a ParameterValue, and how a form's text becomes one."""

    name: str
    field: str
    read: Callable[[str], Any] | None = None


# by the number in rcl_interfaces/msg/ParameterType
_KINDS = {
    1: _Kind("true or false", "bool_value", _flag),
    2: _Kind("whole number", "integer_value", int),
    3: _Kind("number", "double_value", float),
    4: _Kind("text", "string_value", str),
    5: _Kind("bytes", "byte_array_value"),
    6: _Kind("list of true or false", "bool_array_value", _list(bool)),
    7: _Kind("list of whole numbers", "integer_array_value", _list(int)),
    8: _Kind("list of numbers", "double_array_value", _list(float)),
    9: _Kind("list of texts", "string_array_value", _list(str)),
}


@dataclass(frozen=True)
class Parameter:
    """A parameter of a node.

    Attributes:
        name: as the node has it.
        number: of its type, in rcl_interfaces/msg/ParameterType; 0 if it has no value.
        text: its value, as a form has it.
        about: what the node says that it is.
        limits: the values that it may have, in words.
        may_change: a form can set it.
    """

    name: str
    number: int
    text: str
    about: str
    limits: str
    may_change: bool

    @property
    def kind(self) -> str:
        """Its type, in words."""
        return _KINDS[self.number].name if self.number in _KINDS else "not set"


def state(graph: Graph, node: str) -> str:
    """The state of a node's lifecycle; empty if it has none.

    Raises:
        StudioError: it does not answer.
    """
    if f"{node}/get_state" not in graph.services():
        return ""
    answer = graph.call("lifecycle_msgs/srv/GetState", f"{node}/get_state", patience_s=2.0)
    return str(answer.current_state.label)


def change(graph: Graph, node: str, transition: str) -> None:
    """Have a node go through a transition.

    Args:
        graph: that it is in.
        node: its full name.
        transition: one of ``TRANSITIONS``.

    Raises:
        StudioError: it refused, or does not answer.
    """
    from lifecycle_msgs.msg import Transition

    answer = graph.call(
        "lifecycle_msgs/srv/ChangeState",
        f"{node}/change_state",
        patience_s=_CHANGE_S,
        transition=Transition(id=TRANSITIONS[transition]),
    )
    if not answer.success:
        raise StudioError(f"{node} did not {transition}: its state does not allow that, or it failed")


def parameters(graph: Graph, node: str) -> list[Parameter]:
    """All parameters of a node, by name.

    Raises:
        StudioError: it has none, or does not answer.
    """
    if f"{node}/list_parameters" not in graph.services():
        return []
    listed = graph.call("rcl_interfaces/srv/ListParameters", f"{node}/list_parameters")
    given = sorted(listed.result.names)
    described = graph.call(
        "rcl_interfaces/srv/DescribeParameters", f"{node}/describe_parameters", names=given
    ).descriptors
    values = graph.call("rcl_interfaces/srv/GetParameters", f"{node}/get_parameters", names=given).values
    return [_parameter(name, about, value) for name, about, value in zip(given, described, values)]


def set_parameter(graph: Graph, node: str, name: str, text: str) -> None:
    """Set a parameter to what a form has, as the type that it has now.

    Raises:
        StudioError: the text is none of that type, or the node refused; then the message has its reason.
    """
    from rcl_interfaces.msg import Parameter as Message
    from rcl_interfaces.msg import ParameterValue

    held = next((one for one in parameters(graph, node) if one.name == name), None)
    if held is None or not held.may_change:
        raise StudioError(f"{node} has no parameter {name!r} that may be set; load the page again")
    kind = _KINDS[held.number]
    assert kind.read is not None  # it may change
    try:
        value = ParameterValue(**{"type": held.number, kind.field: kind.read(text)})
    except (ValueError, KeyError, AssertionError, OverflowError) as error:
        raise StudioError(f"{name}: {text!r} is no {kind.name}; correct it") from error
    answer = graph.call(
        "rcl_interfaces/srv/SetParameters",
        f"{node}/set_parameters",
        parameters=[Message(name=name, value=value)],
    )
    for result in answer.results:
        if not result.successful:
            raise StudioError(f"{node} refused: {result.reason or 'it gave no reason'}")


def _parameter(name: str, about: Any, value: Any) -> Parameter:
    kind = _KINDS.get(value.type)
    held = getattr(value, kind.field) if kind is not None else ""
    if kind is not None and value.type >= 5:
        held = json.dumps([one.hex() if isinstance(one, bytes) else one for one in held])
    text = str(held).lower() if isinstance(held, bool) else str(held)
    ranges = [*about.floating_point_range, *about.integer_range]
    limits = [f"{one.from_value:g} to {one.to_value:g}" for one in ranges]
    limits += filter(None, [str(about.additional_constraints)])
    may_change = kind is not None and kind.read is not None and not about.read_only
    return Parameter(name, value.type, text, str(about.description), "; ".join(limits), may_change)
