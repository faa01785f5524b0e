"""Yardstick: how long a detector takes against a net of the shape of YOLOv5n, in one run.

    python -m scripts.yardstick models/sign_detector.onnx models/sign_detector.int8.onnx

The net has random weights, because a net is as fast before its training as after it. Its layers are those of
the published table (Jocher 2020), for one class and without suppression of boxes. All take frames of bytes.
Turns alternate, so that other work on the machine meets all of them.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from pathlib import Path
from time import perf_counter

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from perception.spec import ModelSpec

STRIDES = (8, 16, 32)
OUTPUTS = 3 * (5 + 1)  # three anchors of a box, a score and one class


def unit(
    inputs: int, outputs: int, kernel: int = 1, stride: int = 1, padding: int | None = None
) -> nn.Module:
    """A convolution whose batch norm is folded, and SiLU."""
    pad = kernel // 2 if padding is None else padding
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, pad), nn.SiLU())


class Bottleneck(nn.Module):
    """1×1 and 3×3, added to the input unless ``adds`` is false."""

    def __init__(self, channels: int, *, adds: bool) -> None:
        super().__init__()
        self.inner = nn.Sequential(unit(channels, channels), unit(channels, channels, 3))
        self.adds = adds

    def forward(self, x: Tensor) -> Tensor:
        inner: Tensor = self.inner(x)
        return x + inner if self.adds else inner


class Split(nn.Module):
    """Two halves, one through bottlenecks, joined by a 1×1 (cross stage partial)."""

    def __init__(self, inputs: int, outputs: int, depth: int, *, adds: bool = True) -> None:
        super().__init__()
        half = outputs // 2
        self.long = nn.Sequential(unit(inputs, half), *(Bottleneck(half, adds=adds) for _ in range(depth)))
        self.short, self.join = unit(inputs, half), unit(outputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        joined: Tensor = self.join(torch.cat([self.long(x), self.short(x)], 1))
        return joined


class Yardstick(nn.Module):
    """1.8 M parameters: bytes (1, H, W, 3), H and W multiples of 32, to all its boxes (1, M, 6)."""

    def __init__(self) -> None:
        super().__init__()
        self.to8 = nn.Sequential(
            unit(3, 16, 6, 2, 2), unit(16, 32, 3, 2), Split(32, 32, 1), unit(32, 64, 3, 2), Split(64, 64, 2)
        )
        self.to16 = nn.Sequential(unit(64, 128, 3, 2), Split(128, 128, 3))
        self.to32 = nn.Sequential(unit(128, 256, 3, 2), Split(256, 256, 1), unit(256, 128))
        self.pooled, self.from32 = unit(512, 256), unit(256, 128)
        self.up16 = nn.Sequential(Split(256, 128, 1, adds=False), unit(128, 64))
        self.up8 = Split(128, 64, 1, adds=False)
        self.down16, self.join16 = unit(64, 64, 3, 2), Split(128, 128, 1, adds=False)
        self.down32, self.join32 = unit(128, 128, 3, 2), Split(256, 256, 1, adds=False)
        self.heads = nn.ModuleList([nn.Conv2d(channels, OUTPUTS, 1) for channels in (64, 128, 256)])

    def forward(self, frames: Tensor) -> Tensor:
        fine = self.to8(frames.permute(0, 3, 1, 2).float() / 255.0)
        middle = self.to16(fine)
        pools = [self.to32(middle)]
        for _ in range(3):
            pools.append(F.max_pool2d(pools[-1], 5, 1, 2))
        coarse = self.from32(self.pooled(torch.cat(pools, 1)))
        middle = self.up16(torch.cat([twice(coarse), middle], 1))
        fine = self.up8(torch.cat([twice(middle), fine], 1))
        middle = self.join16(torch.cat([self.down16(fine), middle], 1))
        coarse = self.join32(torch.cat([self.down32(middle), coarse], 1))
        maps = zip((fine, middle, coarse), self.heads, STRIDES)
        return torch.cat([boxes(head(x), stride) for x, head, stride in maps], 1)


def twice(x: Tensor) -> Tensor:
    """Each cell becomes four."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def boxes(maps: Tensor, stride: int) -> Tensor:
    """(1, OUTPUTS, H, W) to (1, 3HW, 6)."""
    _, _, height, width = maps.shape
    split = maps.view(1, 3, OUTPUTS // 3, height, width).permute(0, 1, 3, 4, 2)
    return (split.sigmoid() * stride).reshape(1, -1, OUTPUTS // 3)


def main() -> None:
    """Time the yardstick and the given files in turns, and print milliseconds and ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="+", type=Path, help="files of task sign_detection")
    parser.add_argument("--size", default="1360x800", help="of the frame, WIDTHxHEIGHT (default: 1360x800)")
    parser.add_argument("--threads", type=int, default=2, help="of ONNX Runtime (default: 2)")
    parser.add_argument("--turns", type=int, default=40, help="(default: 40)")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    with tempfile.TemporaryDirectory() as folder:
        yardstick = Path(folder) / "yardstick.onnx"
        export(yardstick)
        files = {"a net of YOLOv5n's shape": yardstick, **{path.name: path for path in options.models}}
        times_ms = timed(files, (height, width), threads=options.threads, turns=options.turns)
    first = next(iter(times_ms.values()))
    for name, times in times_ms.items():
        ratio = np.median(times / first)
        print(f"{name:<28} {np.median(times):7.1f} ms  {ratio:5.2f} times")


def export(path: Path) -> None:
    """Write the yardstick as ONNX."""
    frame = torch.zeros(1, 64, 64, 3, dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the older exporter; its graphs run as fast
        torch.onnx.export(
            Yardstick().eval(),
            (frame,),
            str(path),
            dynamo=False,
            input_names=["frames"],
            dynamic_axes={"frames": {1: "height", 2: "width"}},
        )


def timed(
    files: dict[str, Path], size_hw: tuple[int, int], *, threads: int, turns: int
) -> dict[str, np.ndarray]:
    """Milliseconds of each turn of each file; the first turns warm up and do not count."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # As the runtime has it; spinning threads of one session would slow the next one's turn.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    sessions = {
        name: onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        for name, path in files.items()
    }
    rng, frames = np.random.default_rng(0), {}
    for name, session in sessions.items():
        metadata = session.get_modelmeta().custom_metadata_map
        stride = ModelSpec.from_metadata(metadata, where=name).stride or 1 if metadata else STRIDES[-1]
        height, width = (-(-side // stride) * stride for side in size_hw)
        frames[name] = rng.integers(0, 256, (1, height, width, 3), np.uint8)
    times: dict[str, list[float]] = {name: [] for name in files}
    for turn in range(turns + 3):
        for name, session in sessions.items():
            start = perf_counter()
            session.run(None, {"frames": frames[name]})
            if turn >= 3:
                times[name].append((perf_counter() - start) * 1000)
    return {name: np.array(values) for name, values in times.items()}


if __name__ == "__main__":
    main()
