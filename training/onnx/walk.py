"""Steps through an ONNX graph, to values and nodes that must be there."""

from __future__ import annotations

from typing import Any

import onnx_ir as ir
from numpy.typing import NDArray

from training.graph import ExportError


def inputs(node: ir.Node) -> list[ir.Value]:
    """Its inputs, without optional ones that are not given."""
    return [value for value in node.inputs if value is not None]


def made_by(value: ir.Value | None) -> ir.Node:
    """The node that computes a value.

    Raises:
        ExportError: no node does; it is an input of the graph, or stored in it.
    """
    node = value.producer() if value is not None else None
    if node is None:
        raise ExportError(f"no node makes {value and value.name}; export the model again")
    return node


def read_by(value: ir.Value, op_type: str) -> ir.Value:
    """What the first reader of this type makes of a value.

    Raises:
        ExportError: it has no such reader.
    """
    for node in value.consumers():
        if node.op_type == op_type:
            return node.outputs[0]
    raise ExportError(f"{value.name} has no reader {op_type}, as the nets here have; export the model again")


def stored(value: ir.Value | None) -> NDArray[Any]:
    """The numbers of a value that is stored in the graph.

    Raises:
        ExportError: the graph computes them.
    """
    if value is None or value.const_value is None:
        raise ExportError(f"{value and value.name} is no constant; export the model again")
    return value.const_value.numpy()


def numbers(value: ir.Value) -> tuple[int, ...]:
    """The numbers of a stored value; none if the graph computes them."""
    return () if value.const_value is None else tuple(value.const_value.numpy().ravel().tolist())
