"""Sign classifiers under attack: crops at the net's size, and the answers of model files about them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from perception import SignClassifier, pictures
from perception.engines import read_spec
from training.attack.victim import Victim
from training.datasets.images import DataError, SignImage
from training.datasets.tensors import load_frames
from training.datasets.text import folder_name
from training.opened import MODEL, Opened
from training.signs.evaluate import read_crops, remarks_on_assumed
from training.split import remarks

BATCH_NORM = 1e-5  # that PyTorch adds to a variance


class SignVictim(Victim):
    """A sign classifier under attack; "no known sign" is no answer, as in its accuracy."""

    def __init__(self, opened: Opened, data: Path, path: Path) -> None:
        spec = read_spec(path) if path.suffix == MODEL else opened.spec
        crops = read_crops(spec, data, "val")
        self.net = opened.module.net.eval().requires_grad_(False)
        if path.suffix == MODEL:
            fill(self.net, path)
        self.size_hw = spec.input_hw
        self.dataset = crops.dataset
        self.labels = crops.dataset.labels
        self.val: Sequence[SignImage] = crops.images
        aside = {image.path for image in crops.images}
        self.train = tuple(image for image in crops.dataset.images if image.path not in aside)
        own = remarks(spec.provenance, self.dataset.name, "val", kept_aside=crops.kept_aside)
        self.remarks = (*own, *remarks_on_assumed(crops.kept))

    def read(self, items: Sequence[SignImage]) -> tuple[Tensor, Tensor]:
        frames = load_frames([item.path for item in items], self.size_hw)
        return frames.float().contiguous(), torch.tensor([item.class_id for item in items])

    def logits(self, frames: Tensor) -> Tensor:
        known: Tensor = self.net(frames)[:, :-1]
        return known

    def answers(self, model: SignClassifier, frames: NDArray[np.uint8]) -> NDArray[np.int64]:
        return np.array([sign.class_id for sign in model.classify(list(frames))], np.int64)

    def write(self, folder: Path, attacked: dict[Path, NDArray[np.uint8]]) -> None:
        """Write ``train`` and ``val``, a folder a class, so that ``fit`` validates on what it did before."""
        margin, labels = self.dataset.box_margin, self.labels
        for part, images in (("train", self.train), ("val", self.val)):
            for image in images:
                place = folder / part / folder_name(labels[image.class_id])
                place.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(image.path, place / image.path.name)
                if part == "train" and image.path in attacked:
                    pictures.write(place / f"{image.path.stem}_attacked.png", attacked[image.path])
        (folder / "box_margin.json").write_text(f"{json.dumps(margin)}\n", encoding="utf-8")
        there = {image.class_id for image in (*self.train, *self.val)}
        flips = {labels[a]: labels[b] for a, b in self.dataset.flips.items() if {a, b} <= there}
        text = json.dumps(flips, indent=1, ensure_ascii=False) + "\n"
        (folder / "flips.json").write_text(text, encoding="utf-8")


def fill(net: nn.Module, model: Path) -> None:
    """Take the weights of a model file, which may be of a later training than those beside it.

    In the file, each normalisation is a part of the convolution before it.

    Raises:
        DataError: it holds another net, or is quantised.
    """
    graph = onnx.load(model).graph
    held = {one.name: torch.from_numpy(numpy_helper.to_array(one).copy()) for one in graph.initializer}
    state = {}
    for name, own in net.state_dict().items():
        layer, _, kind = name.rpartition(".")
        stack, _, place = layer.rpartition(".")
        before = f"net.{stack}.{int(place) - 1}.weight" if place.isdigit() else ""
        if own.ndim == 1 and before in held:  # of a normalisation, which must leave everything as it is
            state[name] = {
                "weight": torch.ones_like(own),
                "bias": held.get(f"{before}_bias", torch.zeros_like(own)),  # the exporter leaves out zeros
                "running_mean": torch.zeros_like(own),
                "running_var": torch.full_like(own, 1 - BATCH_NORM),
            }[kind]
        else:
            state[name] = held.get(f"net.{name}", own.new_empty(0)) if own.ndim else own
    try:
        net.load_state_dict(state)
    except RuntimeError as error:
        raise DataError(
            f"the weights of {model} cannot be attacked: it is quantised, or of another net; give the file "
            "that quantize took, or the .safetensors beside it"
        ) from error
