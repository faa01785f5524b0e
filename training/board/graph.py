"""The graph of a net as TensorBoard draws it, with a box for each of its modules."""

from __future__ import annotations

import numpy as np
import torch
from tensorboard.compat.proto.attr_value_pb2 import AttrValue
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.compat.proto.node_def_pb2 import NodeDef
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from torch import fx, nn

from perception.frames import Frame


def of_net(net: nn.Module, frame: Frame) -> Event:
    """Export the net and write down its operators.

    TensorBoard's own way, ``SummaryWriter.add_graph``, traces by ``torch.jit``, and that fails at
    ``max_unpool2d``.

    Args:
        net: takes (N, 3, H, W).
        frame: (H, W, 3) of the size that the net shall be drawn for.
    """
    parameter = next(net.parameters())
    example = torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1)[None].to(parameter)
    was_training = net.training
    try:
        program = torch.export.export(net.eval(), (example,))
    finally:
        net.train(was_training)
    operators = [node for node in program.graph.nodes if node.op != "placeholder" or not _is_weight(node)]
    names = {node: _name(node) for node in operators}
    drawn = GraphDef(node=[_drawn(node, names) for node in operators])
    return Event(graph_def=drawn.SerializeToString())


def _is_weight(node: fx.Node) -> bool:
    return node.name.startswith(("p_", "b_", "c_"))  # parameters, buffers and constants, as torch names them


def _name(node: fx.Node) -> str:
    """Where the operator is in the net, as a path: ``down16/2/1/batch_norm_5``."""
    modules: list[tuple[str, str]] = list(node.meta.get("nn_module_stack", {}).values())
    return "/".join([*filter(None, modules[-1][0].split(".")), node.name] if modules else [node.name])


def _drawn(node: fx.Node, names: dict[fx.Node, str]) -> NodeDef:
    attributes = {}
    if isinstance(value := node.meta.get("val"), torch.Tensor):
        sizes = [TensorShapeProto.Dim(size=int(size)) for size in value.shape]
        attributes["_output_shapes"] = AttrValue(
            list=AttrValue.ListValue(shape=[TensorShapeProto(dim=sizes)])
        )
    return NodeDef(
        name=names[node],
        op=str(node.target).removeprefix("aten.").rpartition(".")[0] or node.op,
        input=[names[source] for source in node.all_input_nodes if source in names],
        attr=attributes,
    )
