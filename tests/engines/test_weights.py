"""Weights in files beside a model's own: they must be in its folder, wherever the model hides their name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

import perception
from perception import ModelError, NotAModelError, WeightsOutsideError
from perception.engines.weights import WAYS, check_weights, external_names
from tests.conftest import SIGNS, write_model


def split_model(folder: Path, location: str) -> Path:
    """A model whose weights are in a file, and that names another place for them."""
    path = write_model(folder / "signs.onnx", SIGNS)
    proto = onnx.load(path)
    onnx.save_model(proto, path, save_as_external_data=True, location="weights.data", size_threshold=0)
    proto = onnx.load(path, load_external_data=False)
    for tensor in proto.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location
    path.write_bytes(proto.SerializeToString())
    return path


def test_weights_in_the_folder_are_read(tmp_path: Path) -> None:
    path = split_model(tmp_path, "weights.data")
    assert external_names(path.read_bytes()) == ["weights.data"]
    perception.load(path, device="cpu").close()
    link = tmp_path / "elsewhere" / "signs.onnx"
    link.parent.mkdir()
    link.symlink_to(path)
    check_weights(path)


@pytest.mark.parametrize("way", ["up", "absolute", "link", "down and up"])
def test_weights_outside_the_folder_are_refused(tmp_path: Path, way: str) -> None:
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    secret = tmp_path / "secret.data"
    names = {
        "up": "../secret.data",
        "absolute": str(secret),
        "link": "link.data",
        "down and up": "sub/../../secret.data",
    }
    path = split_model(folder, names[way])
    (folder / "weights.data").replace(secret)  # whole, so nothing else is wrong with it
    (folder / "link.data").symlink_to(secret)
    for opening in (perception.load, perception.read_spec):
        with pytest.raises(WeightsOutsideError, match=r"signs\.onnx: it takes weights from .*secret\.data"):
            opening(path)
    assert issubclass(WeightsOutsideError, ModelError)


def test_a_place_in_memory_is_no_file(tmp_path: Path) -> None:
    """ONNX Runtime has a name that means: the values are at this address."""
    path = split_model(tmp_path, "*/_ORT_MEM_ADDR_/*")
    with pytest.raises(NotAModelError, match="which is missing"):
        perception.load(path)


@pytest.mark.parametrize("name", ["a\0b", "circle", "x" * 5000])
def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path, name: str) -> None:
    path = split_model(tmp_path, name)
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(NotAModelError, match=r"signs\.onnx: its weights are in .*; (export it|copy that)"):
        perception.load(path)


def test_all_ways_of_the_format_to_a_tensor_are_known() -> None:
    messages: dict[str, dict[int, str]] = defaultdict(dict)
    waiting, reaching = [onnx.ModelProto.DESCRIPTOR], {"TensorProto"}
    while waiting:
        message = waiting.pop()
        for field in message.fields:
            if field.message_type is not None and field.number not in messages[message.name]:
                messages[message.name][field.number] = field.message_type.name
                waiting.append(field.message_type)
    for _ in messages:
        reaching |= {name for name, fields in messages.items() if reaching & {*fields.values()}}
    expected = {
        name: {number: kind for number, kind in messages[name].items() if kind in reaching}
        for name in reaching - {"TensorProto"}
    }
    external = TensorProto.DESCRIPTOR.fields_by_name["external_data"]
    assert expected | {"TensorProto": {external.number: "StringStringEntryProto"}} == WAYS


def hidden(wrap: Callable[[TensorProto], Any]) -> bytes:
    """A model that holds a tensor with a name where the wrapper puts it."""
    tensor = TensorProto(data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="offset", value="4")
    tensor.external_data.add(key="location", value="far away")
    node = helper.make_node("Constant", [], ["out"])
    node.attribute.append(wrap(tensor))
    return helper.make_model(helper.make_graph([node], "graph", [], [])).SerializeToString()


@pytest.mark.parametrize(
    "wrap",
    [
        lambda tensor: onnx.AttributeProto(t=tensor),
        lambda tensor: onnx.AttributeProto(tensors=[TensorProto(), tensor]),
        lambda tensor: onnx.AttributeProto(g=onnx.GraphProto(initializer=[tensor])),
        lambda tensor: onnx.AttributeProto(sparse_tensor=onnx.SparseTensorProto(indices=tensor)),
    ],
)
def test_names_are_found_wherever_they_are(wrap: Callable[[TensorProto], Any]) -> None:
    assert external_names(hidden(wrap)) == ["far away"]


def test_a_file_that_is_nested_deeply_is_read() -> None:
    graph = onnx.GraphProto()
    graph.initializer.add().external_data.add(key="location", value="deep")
    for _ in range(25):
        outer = onnx.GraphProto()
        outer.node.add().attribute.add().g.CopyFrom(graph)
        graph = outer
    assert external_names(onnx.ModelProto(graph=graph).SerializeToString()) == ["deep"]


def test_what_is_cut_within_the_graph_is_refused(tmp_path: Path, signs_model: Path) -> None:
    content = signs_model.read_bytes()
    path = tmp_path / "cut.onnx"
    for size in range(0, len(content), 97):
        path.write_bytes(content[:size])
        with pytest.raises(ModelError):
            perception.read_spec(path)
