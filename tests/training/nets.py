"""Model files of untrained nets, for tests of what is done to model files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch

from perception.engines import open_engine
from perception.spec import ModelSpec, Provenance
from training.datasets import camvid
from training.datasets.gtsrb import LABELS
from training.export import write
from training.graph import wheel
from training.segmentation.graph import MaskGraph
from training.segmentation.net import SegNetCompact
from training.signs.graph import SignGraph
from training.signs.net import SignNet

NAMES = ("signs", "segnet")


def write_models(folder: Path) -> Path:
    """signs.onnx and segnet.onnx with random weights; 60×80 pixels are no multiple of SegNet's stride."""
    torch.manual_seed(0)
    write_signs(SignNet(len(LABELS)), folder / "signs.onnx")

    labels, size_hw = tuple(camvid.CLASSES), (60, 80)
    net = SegNetCompact(len(labels), widths=(8, 12, 16, 24))
    for unpooled in net.unpool:
        torch.nn.init.uniform_(unpooled.share)
    segnet = MaskGraph(net, temperature=1.0).eval()
    learnt = Provenance(data_set="CamVid", learnt_val=True)
    spec = ModelSpec("segmentation", labels, wheel(len(labels)), size_hw, provenance=learnt)
    write(segnet, spec, folder / "segnet.onnx")
    return folder


def write_signs(net: SignNet, model: Path) -> ModelSpec:
    """The model file of a sign classifier for GTSRB's classes, at 32×32 pixels."""
    metrics = {"val_accuracy": 0.5, "macs": 1.0}
    spec = ModelSpec("signs", LABELS, wheel(len(LABELS)), (32, 32), metrics=metrics)
    write(SignGraph(net, temperature=0.1, known_offset=1.0).eval(), spec, model)
    return spec


def pictures(model: Path, count: int) -> np.ndarray:
    """Blurred noise of the size that a model takes."""
    height, width = open_engine(model, device="cpu").spec.input_hw
    noise = np.random.default_rng(0).integers(0, 256, (count, height // 4, width // 4, 3)).astype(np.uint8)
    return np.stack([cv2.resize(small, (width, height)) for small in noise])
