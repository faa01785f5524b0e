"""The graph of a sign classifier, and what is fitted to it after training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from perception.spec import ModelSpec
from training.calibrate import fit_temperature
from training.graph import as_batch, require_finite, wheel
from training.signs.augment import cast
from training.signs.data import SignData
from training.signs.task import SignTask, known_logit
from training.split import in_words, learnt

ACCEPTED_SIGNS = 0.99  # share of the validation signs that the threshold of ``known`` lets through at least
# It is lowered until so many pass of those without a quarter that are still read right, …
ACCEPTED_CUT = 0.97
FALSE_ALARMS = 0.002  # … but never so far that more of the background passes than this share
CUT = 0.29  # of a crop: a quarter of the sign, and the margin beside it
ENOUGH_SIGNS = 100  # fewer do not show where that is, and training has often seen them from all sides
# Where nothing can be fitted: known are signs that are three times as likely as all else together.
UNFITTED = {"temperature": 1.0, "known_offset": math.log(3.0)}
THRESHOLD = 0.5  # of known


class SignGraph(nn.Module):
    """uint8 frames (N, H, W, 3) BGR to scores (N, K) and known (N,)."""

    def __init__(self, net: nn.Module, *, temperature: float, known_offset: float) -> None:
        super().__init__()
        self.net = net
        self.temperature = temperature
        self.known_offset = known_offset

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        return self.results(self.net(as_batch(frames)))

    def results(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """(N, K + 1) logits to scores and known."""
        scores = (logits[:, :-1] / self.temperature).softmax(dim=1)
        # The same as sigmoid(known_logit(logits) - known_offset), without the logarithm of nothing.
        top = logits.softmax(dim=1)[:, :-1].amax(dim=1)
        return scores, top / (top + (1.0 - top) * math.exp(self.known_offset))


@torch.no_grad()
def build(task: SignTask, data: SignData, like: ModelSpec | None) -> tuple[SignGraph, dict[str, Any]]:
    """Calibrate a classifier on the validation crops, or like another one."""
    batches = [(task(frames.float()), ids) for frames, ids in data.val_dataloader()]
    logits, ids = (torch.cat(parts) for parts in zip(*batches))
    require_finite(logits)
    is_sign = ids < len(task.labels)
    has_learnt = learnt(task, data)
    calibration, threshold = calibrate_signs(logits[is_sign], ids[is_sign], like, has_learnt=has_learnt)
    if is_fitted(calibration) and not like and data.background:
        lowered = lower_offset(
            calibration["known_offset"], spoilt(task, data), logits[ids == len(task.labels)]
        )
        calibration["known_offset"] = lowered
    graph = SignGraph(task.net, **calibration)
    scores, known = graph.results(logits)
    metrics = {}
    if not has_learnt:
        correct = scores[is_sign].argmax(dim=1) == ids[is_sign]
        metrics["val_accuracy"] = float(correct.float().mean())
        if data.background:
            alarms = known[ids == len(task.labels)] >= threshold
            metrics["val_false_alarms"] = float(alarms.float().mean())
    if data.hold_out:
        taken = known[ids > len(task.labels)] >= threshold
        metrics["val_unseen_taken_for_known"] = float(taken.float().mean())
    fields = {
        "palette": wheel(len(task.labels)),
        "box_margin": data.signs.box_margin,
        "thresholds": {"known": threshold},
        "calibration": calibration,
        "trained_on": trained_on(task, data),
        "metrics": metrics,
    }
    return graph.eval(), fields


def is_fitted(calibration: Mapping[str, float]) -> bool:
    """Whether a calibration was fitted to crops."""
    return calibration != UNFITTED


@torch.no_grad()
def spoilt(task: SignTask, data: SignData) -> Tensor:
    """(N, K + 1) logits of validation signs without a quarter, half of them tinted, if still read right."""
    kept = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(data.seed)
        for frames, ids in data.val_dataloader():
            signs, own = frames[ids < len(task.labels)].float() / 255.0, ids[ids < len(task.labels)]
            if len(signs):
                logits = task(255.0 * cast(without_side(signs), p=0.5))
                kept.append(logits[logits[:, :-1].argmax(dim=1) == own])
    return torch.cat(kept)


def without_side(frames: Tensor) -> Tensor:
    """(N, 3, H, W) pictures of which CUT is cut off, each at one of four sides, stretched to their size."""
    height, width = frames.shape[-2:]
    rows, columns = height - round(CUT * height), width - round(CUT * width)
    parts = (frames[..., :rows, :], frames[..., -rows:, :], frames[..., :columns], frames[..., -columns:])
    seen = [F.interpolate(part, (height, width), mode="bilinear", align_corners=False) for part in parts]
    side = torch.randint(len(parts), (len(frames), 1, 1, 1))
    return torch.stack(seen).gather(0, side.expand_as(frames)[None])[0]


def lower_offset(offset: float, signs: Tensor, background: Tensor) -> float:
    """The offset of ``known`` at which cut signs pass as well, as far as the background allows it.

    Args:
        offset: the one that suits clean crops.
        signs: (N, K + 1) logits of cut signs that are read right.
        background: (M, K + 1) logits of crops without signs.
    """
    wanted = float(known_logit(signs).quantile(1.0 - ACCEPTED_CUT))
    surest = known_logit(background).sort(descending=True).values
    # The surest that must not pass: what is as sure as the threshold passes.
    allowed = float(surest[int(FALSE_ALARMS * len(surest))]) + 1e-3
    return min(offset, max(wanted, allowed))


def trained_on(task: SignTask, data: SignData) -> str:
    """The data set and its split, for people."""
    parts = [data.data_set, f"{len(data.train)} crops"]
    if data.background:
        parts.append("background included")
    return ", ".join([*parts, in_words(task, data) or "split by track"])


def calibrate_signs(
    logits: Tensor, ids: Tensor, like: ModelSpec | None, *, has_learnt: bool
) -> tuple[dict[str, float], float]:
    """Temperature and offset of ``known``, and its threshold.

    Args:
        logits: (N, K + 1) of the validation signs.
        ids: (N,) their class ids.
        like: the model to take all from.
        has_learnt: whether the net has learnt from these crops.
    """
    if like:
        return dict(like.calibration), like.threshold
    if has_learnt:
        return UNFITTED, THRESHOLD
    if len(ids) < ENOUGH_SIGNS:
        print(
            f"{len(ids)} crops validate, and {ENOUGH_SIGNS} are needed to calibrate the scores and the "
            "threshold of known: the scores stay as they are, and known is what is three times as likely as "
            "all else"
        )
        return UNFITTED, THRESHOLD
    # Shifted so that the threshold lets as many signs pass as ACCEPTED_SIGNS says.
    offset = float(known_logit(logits).quantile(1.0 - ACCEPTED_SIGNS))
    return {"temperature": fit_temperature(logits[:, :-1], ids), "known_offset": offset}, THRESHOLD
