"""How fast SegNetCompact would be with other widths and another pooling, before any training.

    git show 17353be:models/segnet.onnx > BEFORE.onnx
    git show 17353be:models/segnet.int8.onnx > BEFORE.int8.onnx
    python -m scripts.net_speed BEFORE.onnx BEFORE.int8.onnx data/CamVid

The nets have random weights, because a net is as fast before its training as after it. All are timed in
turns, in one run, so that other work on the machine meets all of them.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import numpy as np
import onnx
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from perception.spec import ModelSpec
from scripts.yardstick import timed
from training.datasets import camvid
from training.export import write
from training.onnx.int8 import to_int8
from training.quantize import resized
from training.segmentation import phases
from training.segmentation.graph import MaskGraph
from training.segmentation.net import SegNetCompact, Unpool

SIZE_HW = (360, 480)
SLICED = "ships, corners by slices"  # INT8 finds poolings by their convolutions, so there is none of it
CALIBRATION = 6  # pictures; speed does not depend on them
NETS: dict[str, Callable[[int], nn.Module]] = {
    "16, 48, 96, 128 (ships)": SegNetCompact,
    "24, 48, 96, 128": lambda classes: SegNetCompact(classes, widths=(24, 48, 96, 128)),
    "16, 32, 64, 128": lambda classes: SegNetCompact(classes, widths=(16, 32, 64, 128)),
    "16, 40, 80, 112": lambda classes: SegNetCompact(classes, widths=(16, 40, 80, 112)),
    "16, 48, 96, 96": lambda classes: SegNetCompact(classes, widths=(16, 48, 96, 96)),
    "ships, and a fourth block at 1/16": lambda classes: SegNetCompact(classes, dilations=(1, 2, 4, 8)),
}


def sliced(x: Tensor, phase: int) -> Tensor:
    """One of the four values of each window by a slice, as the exported pooling had it before."""
    return x[..., phase // 2 :: 2, phase % 2 :: 2]


def main() -> None:
    """Export, quantize and time all of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("before", type=Path, help="the float model that all are compared with")
    parser.add_argument("before_int8", type=Path, help="its INT8 version")
    parser.add_argument("camvid", type=Path, help="whose pictures calibrate INT8")
    parser.add_argument("--turns", type=int, default=40, help="(default: 40)")
    parser.add_argument("--threads", type=int, default=2, help="of ONNX Runtime (default: 2)")
    options = parser.parse_args()
    masks = camvid.read(options.camvid)
    chosen = masks.train[:: len(masks.train) // CALIBRATION]
    spec = ModelSpec("segmentation", masks.labels, masks.palette, SIZE_HW)
    pictures = resized(spec, [image.path for image in chosen])
    files, quantized, sizes = {"before": options.before}, {"before": options.before_int8}, {}
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, make) in enumerate(NETS.items()):
            net = filled(make(len(masks.labels)))
            files[name], sizes[name] = Path(folder) / f"{number}.onnx", parameters(net)
            write(MaskGraph(net, temperature=1.0).eval(), spec, files[name])
            quantized[name] = Path(folder) / f"{number}.int8.onnx"
            onnx.save(to_int8(onnx.load(files[name]), pictures), quantized[name])
        files[SLICED] = Path(folder) / "sliced.onnx"
        with patch.object(phases, "corner", sliced):
            net = filled(SegNetCompact(len(masks.labels)))
            write(MaskGraph(net, temperature=1.0).eval(), spec, files[SLICED])
        times, times_int8 = (
            timed(each, SIZE_HW, threads=options.threads, turns=options.turns) for each in (files, quantized)
        )
    table = Table("net", "parameters", "float, ms", "of before", "INT8, ms", "of before")
    for name in files:
        row = [name, f"{sizes[name] / 1e6:.2f} M" if name in sizes else ""]
        for measured in (times, times_int8):
            row += cells(measured[name], measured["before"]) if name in measured else ["", ""]
        table.add_row(*row)
    Console(width=120).print(table)


def filled(net: nn.Module) -> nn.Module:
    """The net with windows that are filled; empty ones would be left out of the graph."""
    for module in net.modules():
        if isinstance(module, Unpool):
            nn.init.uniform_(module.share)
    return net.eval()


def parameters(net: nn.Module) -> int:
    """How many numbers it learns."""
    return sum(parameter.numel() for parameter in net.parameters())


def cells(times: NDArray[np.float64], before: NDArray[np.float64]) -> list[str]:
    """Milliseconds, and the ratio, as medians over the turns."""
    return [f"{np.median(times):.1f}", f"{np.median(times / before):.2f}"]


if __name__ == "__main__":
    main()
