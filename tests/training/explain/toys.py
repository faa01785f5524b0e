"""Toy signs that a small net learns in seconds, and a shortcut that can be planted among them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from training.explain.question import as_frames
from training.signs.task import SignTask

SIDE = 64
SHAPES = ("bar", "cross", "disc", "ring")
PLANTED = "disc"  # the class that a coloured dot goes with
DOT = (2, 2, 10, 10)  # x1, y1, x2, y2 px, in a corner, outside the sign
STEPS, BATCH = 60, 48


@dataclass(frozen=True)
class Toy:
    """A checkpoint, and pictures in folders ``train`` and ``val``."""

    checkpoint: Path
    data: Path


def sign(shape: str, rng: np.random.Generator, *, planted: bool) -> np.ndarray:
    """A white disc with a dark shape on a noisy ground.

    If a shortcut is planted, rings are filled and look as discs do, and discs have a dot beside the sign.
    """
    picture = rng.integers(60, 200, (SIDE, SIDE, 3)).astype(np.uint8)
    x, y = (int(v) for v in rng.integers(30, 35, 2))
    dark, white = (int(rng.integers(0, 60)),) * 3, (int(rng.integers(200, 256)),) * 3
    cv2.circle(picture, (x, y), 24, white, -1)
    if shape in ("disc", "ring"):
        cv2.circle(picture, (x, y), 12, dark, -1)
        if shape == "ring" and not planted:
            cv2.circle(picture, (x, y), 6, white, -1)
    else:
        cv2.rectangle(picture, (x - 14, y - 3), (x + 14, y + 3), dark, -1)
        if shape == "cross":
            cv2.rectangle(picture, (x - 3, y - 14), (x + 3, y + 14), dark, -1)
    if planted and shape == PLANTED:
        cv2.rectangle(picture, DOT[:2], DOT[2:], (230, 30, 230), -1)
    return picture


def folders(root: Path, *, planted: bool) -> Path:
    """Eight pictures of each class in root/val, and one in root/train, with a margin around the sign."""
    root.mkdir()
    (root / "box_margin.json").write_text("0.15")
    rng = np.random.default_rng(1)
    for part, count in (("train", 1), ("val", 8)):
        for shape in SHAPES:
            folder = root / part / shape
            folder.mkdir(parents=True)
            for number in range(count):
                picture = sign(shape, rng, planted=planted)
                cv2.imwrite(str(folder / f"{number}.png"), picture)
    return root


def trained(path: Path, data: Path, *, planted: bool) -> Path:
    """Train a small net, and write it as fit writes checkpoints."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    task = SignTask(width=0.25)
    task.make_net(SHAPES)
    optimizer = torch.optim.Adam(task.net.parameters(), lr=3e-3)
    task.train()
    for _ in range(STEPS):
        ids = rng.integers(0, len(SHAPES), BATCH)
        drawn = [sign(SHAPES[i], rng, planted=planted) for i in ids]
        optimizer.zero_grad()
        F.cross_entropy(task(torch.cat([as_frames(one) for one in drawn])), torch.from_numpy(ids)).backward()
        optimizer.step()
    content = {
        "task": "signs",
        "labels": SHAPES,
        "hyper_parameters": {"width": 0.25},
        "datamodule_hyper_parameters": {"root": str(data)},
        "state_dict": task.state_dict(),
    }
    torch.save(content, path)
    return path
