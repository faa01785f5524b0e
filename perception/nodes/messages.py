"""Messages of rclpy, made by their type's name, and QoS as rclpy has it."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

import numpy as np
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from perception.topics import Qos


@cache
def message_class(kind: str) -> Any:
    """The installed Python class of a type named as in ``sensor_msgs/msg/Image``; None if there is none."""
    package, _, name = kind.split("/")
    try:
        return getattr(importlib.import_module(f"{package}.msg"), name, None)
    except ModuleNotFoundError:
        return None


@cache
def _floats(kind: str) -> frozenset[str]:
    """The fields of a type that hold one floating-point number."""
    types = message_class(kind).get_fields_and_field_types()
    return frozenset(name for name, of in types.items() if of in ("float", "double"))


def make(kind: str, **fields: Any) -> Any:
    """A message of rclpy by its type's name."""
    # An int or NumPy's float32 there would end the process when the message is sent: rclpy does not check.
    for name in _floats(kind) & fields.keys():
        fields[name] = float(fields[name])
    if not isinstance(fields.get("data"), np.ndarray):
        return message_class(kind)(**fields)
    data = fields.pop("data")
    message = message_class(kind)(**fields)
    # Into the array that the message already has. To assign another costs a second copy (Jazzy). To assign
    # bytes costs a check of every element, a quarter of a second for a large frame (Humble).
    message.data.frombytes(data.data)
    return message


def qos_profile(qos: Qos) -> QoSProfile:
    """The same QoS as rclpy has it."""
    return QoSProfile(
        depth=qos.depth,
        reliability=ReliabilityPolicy.RELIABLE if qos.reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if qos.latched else DurabilityPolicy.VOLATILE,
    )
