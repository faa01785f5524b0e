"""The nodes' parameters: declared from one table, checked before anything starts."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from rcl_interfaces.msg import FloatingPointRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from perception.engines import DEVICES
from perception.engines.precision import PRECISIONS
from perception.errors import PerceptionError

_QOS = re.compile(r"qos_overrides\..+\.publisher\.(reliability|history|depth)")  # declared with the publisher

NONE_GONE: Mapping[str, str] = {}

Value = TypeVar("Value", bool, float, str)


class UnknownParameterError(PerceptionError):
    """A parameter was given that the node does not have; a misspelt one would silently do nothing."""


@dataclass(frozen=True)
class Param:
    """One parameter of a node.

    Attributes:
        name: as users write it.
        default: its type is the parameter's type.
        description: what ``ros2 param describe`` says.
        read_only: fixed at start-up.
        until_configured: fixed while a model is loaded, because only the configure transition reads it.
        choices: the values a string may have; empty for any.
        bounds: lowest and highest value of a number.
    """

    name: str
    default: bool | float | str
    description: str
    read_only: bool = False
    until_configured: bool = False
    choices: tuple[str, ...] = ()
    bounds: tuple[float, float] | None = None

    def descriptor(self) -> ParameterDescriptor:
        """The same as ROS has it."""
        descriptor = ParameterDescriptor(description=self.description, read_only=self.read_only)
        if self.choices:
            descriptor.additional_constraints = "one of: " + ", ".join(self.choices)
        if self.bounds:
            low, high = self.bounds
            descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high, step=0.0)]
        return descriptor


# What every camera node has.
COMMON = (
    Param(
        "model",
        "",
        "model file (.onnx), a folder with the usual names, or a shipped one's name; empty: the usual one",
        until_configured=True,
    ),
    Param(
        "device",
        "auto",
        "where the model runs; auto takes the fastest that is there",
        until_configured=True,
        choices=DEVICES,
    ),
    Param(
        "precision",
        "auto",
        "NAME.onnx as it is (fp32) or NAME.int8.onnx beside it; auto takes INT8 on CPUs where it is faster",
        until_configured=True,
        choices=PRECISIONS,
    ),
    Param(
        "strict_device",
        False,
        "do not let the CPU answer while TensorRT builds an engine; start only once it is built",
        until_configured=True,
    ),
    Param("image_transport", "raw", "the kind of input", read_only=True, choices=("raw", "compressed")),
    Param(
        "autostart", True, "configure and activate at start-up, without a lifecycle manager", read_only=True
    ),
    Param(
        "stale_after",
        3.0,
        "seconds without a frame until /diagnostics says STALE, or for one frame until it says ERROR",
        bounds=(0.1, 3600.0),
    ),
)


def declare(node: Node, table: Iterable[Param], *, gone: Mapping[str, str] = NONE_GONE) -> None:
    """Declare the table's parameters on a node.

    Args:
        node: the node.
        table: its parameters.
        gone: names that earlier releases had, and what to do in their stead.

    Raises:
        UnknownParameterError: start-up gave a parameter that is not in the table.
        rclpy.exceptions.ParameterException: a value of the wrong type, out of its range or choices.
    """
    choices = {param.name: param.choices for param in table if param.choices}

    def check(parameters: list[Parameter]) -> SetParametersResult:
        for parameter in parameters:
            allowed = choices.get(parameter.name)
            if allowed and parameter.value not in allowed:
                reason = f"{parameter.name} is {parameter.value!r}; it must be one of {', '.join(allowed)}"
                return SetParametersResult(successful=False, reason=reason)
        return SetParametersResult(successful=True)

    node.add_on_set_parameters_callback(check)
    for name in gone:
        if name in node._parameter_overrides:
            raise UnknownParameterError(f"parameter {name!r} is no more; {gone[name]}")
    # Names first: a misspelt name is reported before anything else that is wrong.
    _refuse_unknown(node, {param.name for param in table}, but=_QOS)
    for param in table:
        node.declare_parameter(param.name, param.default, param.descriptor())


def fixed_while(
    table: Iterable[Param], loaded: Callable[[], bool]
) -> Callable[[list[Parameter]], SetParametersResult]:
    """A check for parameters that are set: those that only configure reads stay while a model is loaded."""
    fixed = {param.name for param in table if param.until_configured}

    def check(parameters: list[Parameter]) -> SetParametersResult:
        names = sorted({parameter.name for parameter in parameters} & fixed)
        if not names or not loaded():
            return SetParametersResult(successful=True)
        reason = f"{', '.join(names)}: a model is loaded; deactivate and clean up first"
        return SetParametersResult(successful=False, reason=reason)

    return check


def refuse_unknown_qos(node: Node) -> None:
    """Check, once all publishers exist, that each QoS override is for one of them.

    Raises:
        UnknownParameterError: an override is for a topic that the node does not publish.
    """
    prefix = "qos_overrides"
    _refuse_unknown(node, {f"{prefix}.{name}" for name in node.get_parameters_by_prefix(prefix)})


def value(node: Node, name: str, kind: type[Value]) -> Value:
    """A declared parameter's value now."""
    return kind(node.get_parameter(name).value)


def _refuse_unknown(node: Node, names: set[str], *, but: re.Pattern[str] | None = None) -> None:
    # rclpy has no public way to see overrides that nothing declared.
    for name in node._parameter_overrides:
        if name in names or node.has_parameter(name) or (but and but.fullmatch(name)):
            continue
        close = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise UnknownParameterError(f"unknown parameter {name!r}; {hint}Known: {', '.join(sorted(names))}")
