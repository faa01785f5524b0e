"""The graph of the detector, and what is fitted to its scores after training."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from perception.spec import ModelSpec
from training.detection.data import BoxData
from training.detection.measure import Ranking
from training.detection.net import CELL, STRIDE, SignFinder, peaks
from training.detection.task import DetectionTask, as_found
from training.graph import require_finite, wheel
from training.split import in_words, learnt

ALARMS = 1.0  # a frame, that the threshold of ``found`` lets through: what is no sign, the classifier rejects
ENOUGH_SIGNS = 50  # fewer do not show how sure the net may be
UNFITTED = {"slope": 1.0, "offset": 0.0}
THRESHOLD = 0.3  # of found, where nothing can be fitted
SHOWN = 0.02  # boxes with a lower score are left out of the fit
LEAST = 1e-4  # of a score, and of what it lacks to 1, before the fit


class DetectionGraph(nn.Module):
    """uint8 frames (1, H, W, 3) BGR to boxes (BOXES, 4) xyxy px and scores (BOXES,), best first.

    Each row of a frame is read as one channel that is three times as wide, so the bytes need no
    transposition; batch norm and the division by 255 are in the weights of the stem.
    """

    def __init__(self, net: SignFinder, *, slope: float, offset: float) -> None:
        super().__init__()
        self.net = net
        self.slope = slope
        self.offset = offset
        self.stem = flat_stem(net)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        _, height, width, _ = frames.shape
        # As numbers first, because TensorRT reshapes no uint8.
        rows = frames.float().reshape(1, 1, height, 3 * width)
        boxes, scores = peaks(self.net.maps(F.relu(self.stem(rows))))
        return boxes, self.calibrated(scores)

    def calibrated(self, scores: Tensor) -> Tensor:
        """Scores that say how many of such boxes are signs (Platt 1999); what is no peak stays 0."""
        sure = scores.clamp(LEAST, 1 - LEAST)
        logit = torch.log(sure) - torch.log(1 - sure)
        return torch.where(scores > LEAST, torch.sigmoid(self.slope * logit + self.offset), scores * 0.0)


@torch.no_grad()
def flat_stem(net: SignFinder) -> nn.Conv2d:
    """The stem with its batch norm, for bytes as a camera has them: (1, 1, H, 3W) to (1, 32, H/4, W/4)."""
    convolution, norm = net.stem[0], net.stem[1]
    assert isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None and norm.running_var is not None
    outputs, _, rows, columns = convolution.weight.shape
    flat = nn.Conv2d(1, outputs, (rows, 3 * columns), (CELL, 3 * CELL), (2, 6))
    gain = norm.weight / (norm.running_var + norm.eps).sqrt()
    weight = convolution.weight * gain[:, None, None, None] / 255.0
    flat.weight.copy_(weight.permute(0, 2, 3, 1).reshape(flat.weight.shape))
    assert flat.bias is not None
    flat.bias.copy_(norm.bias - norm.running_mean * gain)
    return flat


@torch.no_grad()
def build(
    task: DetectionTask, data: BoxData, like: ModelSpec | None
) -> tuple[DetectionGraph, dict[str, Any]]:
    """Fit scores and threshold on the validation pictures, or take those of another model."""
    task.eval()
    found = []
    for frame, wanted in data.val_dataloader():
        maps = task(frame.permute(0, 3, 1, 2).float())
        require_finite(maps)
        found.append(as_found(maps, wanted[0]))
    ranking, has_learnt = Ranking.of(found), learnt(task, data)
    calibration, threshold = calibrate(ranking, like, has_learnt=has_learnt)
    fields = {
        "palette": wheel(len(task.labels)),
        "stride": STRIDE,
        "enlarge_to": data.enlarge_to,
        "thresholds": {"found": threshold},
        "calibration": calibration,
        "trained_on": trained_on(task, data),
        "metrics": {} if has_learnt else figures(ranking),
    }
    return DetectionGraph(task.net, **calibration).eval(), fields


def figures(ranking: Ranking) -> dict[str, float]:
    """What the spec says of the validation pictures."""
    return {
        "val_ap50": ranking.average_precision,
        "val_false_alarms": ranking.alarms_at(0.9),
        "val_recall": ranking.recall_at(ALARMS),
    }


def trained_on(task: DetectionTask, data: BoxData) -> str:
    """The data set and its split, for people."""
    parts = [data.data_set, f"{len(data.train)} pictures"]
    if data.signs and data.pasted:
        parts.append("signs of GTSRB pasted in")
    return ", ".join([*parts, in_words(task, data) or "split by picture"])


def calibrate(
    ranking: Ranking, like: ModelSpec | None, *, has_learnt: bool
) -> tuple[dict[str, float], float]:
    """Slope and offset of the scores' logits, and the threshold of ``found``.

    Args:
        ranking: of the validation pictures, with scores as the net gives them.
        like: the model to take all from.
        has_learnt: whether the net has learnt from these pictures.
    """
    if like:
        return dict(like.calibration), like.threshold
    if not has_learnt and ranking.signs < ENOUGH_SIGNS:
        print(
            f"{ranking.signs} signs validate, and {ENOUGH_SIGNS} are needed to calibrate the scores and the "
            "threshold of found: the scores stay as they are"
        )
    if has_learnt or ranking.signs < ENOUGH_SIGNS:
        return UNFITTED, THRESHOLD
    slope, offset = fit_scores(ranking)
    beyond = ranking.scores[ranking.alarms > ALARMS]
    least = float(beyond[0]) if len(beyond) else SHOWN
    sure = torch.tensor(max(least, SHOWN)).clamp(LEAST, 1 - LEAST)
    return {"slope": slope, "offset": offset}, float(torch.sigmoid(slope * torch.logit(sure) + offset))


def fit_scores(ranking: Ranking) -> tuple[float, float]:
    """Slope and offset with the least cross entropy on what was found (Platt 1999)."""
    is_shown = ranking.scores >= SHOWN
    logits = torch.logit(torch.from_numpy(ranking.scores[is_shown]).clamp(LEAST, 1 - LEAST))
    # Platt's targets: not quite 0 and 1, so that perfectly separated scores do not become steps.
    hits = torch.from_numpy(ranking.is_hit[is_shown]).double()
    signs, others = float(hits.sum()), float((1 - hits).sum())
    wanted = torch.where(hits > 0, (signs + 1) / (signs + 2), 1 / (others + 2))
    line = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([line], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        # Slopes below 0 would turn the ranking around.
        value = F.binary_cross_entropy_with_logits(line[0].clamp(min=0.1) * logits + line[1], wanted)
        torch.autograd.backward(value)
        return value

    with torch.enable_grad():
        optimizer.step(loss)  # type: ignore[no-untyped-call]  # torch's stubs lack it
    slope, offset = line.tolist()
    return max(0.1, slope), offset
