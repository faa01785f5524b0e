"""NVIDIA's own parser and engine builder, which need no GPU."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from perception.engines import read_spec
from perception.engines.builder import tensorrt_shapes


def parse(model: Path) -> SimpleNamespace:
    """TensorRT's module, builder, network and parser for a model file; skips without TensorRT."""
    trt = pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx has no wheel for this machine")
    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    # Strongly typed: the precision is what the file says, as TensorRT 10.3 and later want it.
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    parsed = parser.parse_from_file(str(model))
    assert parsed, [str(parser.get_error(i)) for i in range(parser.num_errors)]
    return SimpleNamespace(trt=trt, builder=builder, network=network, parser=parser)


def rounds_to(model: Path) -> set[str]:
    """The types that TensorRT rounds to where the file has a QuantizeLinear."""
    made = parse(model)
    layers = [made.network.get_layer(index) for index in range(made.network.num_layers)]
    rounding = [layer for layer in layers if layer.type == made.trt.LayerType.QUANTIZE]
    return {layer.get_output(0).dtype.name for layer in rounding}


def makes_bytes_of(model: Path) -> set[str]:
    """The types that TensorRT casts to uint8."""
    made = parse(model)
    layers = [made.network.get_layer(index) for index in range(made.network.num_layers)]
    return {
        layer.get_input(0).dtype.name
        for layer in layers
        if layer.type == made.trt.LayerType.CAST and layer.get_output(0).dtype == made.trt.uint8
    }


def engine_size(model: Path) -> int:
    """Bytes of the engine that TensorRT builds of a model file for all numbers and sizes of frames."""
    made = parse(model)
    frames = made.network.get_input(0)
    profile = made.builder.create_optimization_profile()
    shapes = tensorrt_shapes(read_spec(model))
    profile.set_shape(frames.name, shapes["min"], shapes["opt"], shapes["max"])
    config = made.builder.create_builder_config()
    config.add_optimization_profile(profile)
    return made.builder.build_serialized_network(made.network, config).nbytes
