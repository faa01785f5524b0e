"""Compare ways to distinguish a known sign from everything else, on one trained classifier.

    python -m scripts.known CHECKPOINT [--data DIR] [--background DIR]

It prints how well each score separates validation signs from background and, for a checkpoint that was
trained with ``--data.hold_out``, from classes that the net never learnt. ``export`` ships the winner as
``known``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.functional.classification import binary_auroc

from perception.errors import PerceptionError
from training.checkpoint import read_checkpoint
from training.datasets.images import DataError, require_labels
from training.export import restore
from training.metrics import false_alarms
from training.signs.task import SignTask, known_logit
from training.split import learnt, require_same_split

ACCEPTED = (0.95, 0.99)  # shares of the signs that shall pass
NEIGHBOURS = 10
BANK = 8000  # training crops among which the neighbours are


@torch.no_grad()
def features_logits(task: SignTask, frames: Tensor) -> tuple[Tensor, Tensor]:
    """Unit-length features (N, F) and logits (N, K + 1) of uint8 frames (N, 3, H, W)."""
    features, logits = [], []
    for batch in frames.split(512):
        x = task.net.pooled(batch.float())
        features.append(F.normalize(x, dim=1))
        logits.append(task.net.head(x))
    return torch.cat(features), torch.cat(logits)


def scores(task: SignTask, train: tuple[Tensor, Tensor], frames: Tensor) -> dict[str, Tensor]:
    """Several scores, larger for known signs: one (N,) tensor each.

    In this order: Hendrycks & Gimpel 2017, Hendrycks et al. 2022, Liu et al. 2020, Sun et al. 2022,
    Lee et al. 2018, and three that read the learnt class "no known sign".

    Args:
        task: the trained classifier.
        train: training frames and ids, for the scores that compare with them.
        frames: (N, 3, H, W) uint8 BGR.
    """
    features, logits = features_logits(task, frames)
    signs = logits[:, :-1]
    is_sign = train[1] < len(task.labels)
    chosen = torch.nonzero(is_sign).flatten()
    chosen = chosen[torch.randperm(len(chosen), generator=torch.Generator().manual_seed(0))[:BANK]]
    bank, bank_ids = features_logits(task, train[0][chosen])[0], train[1][chosen]
    present, index = bank_ids.unique(return_inverse=True)
    means = torch.stack([bank[bank_ids == k].mean(dim=0) for k in present])
    centred = bank - means[index]
    precision = torch.linalg.pinv(centred.T @ centred / len(centred) + 1e-4 * torch.eye(bank.shape[1]))
    distance = features[:, None] - means  # (N, K, F)
    mahalanobis = torch.einsum("nkf,fg,nkg->nk", distance, precision, distance)
    return {
        "largest softmax": signs.softmax(dim=1).amax(dim=1),
        "largest logit": signs.amax(dim=1),
        "energy": signs.logsumexp(dim=1),
        "nearest neighbours": (features @ bank.T).topk(min(NEIGHBOURS, len(bank)), dim=1).values[:, -1],
        "Mahalanobis distance": -mahalanobis.amin(dim=1),
        "no sign: odds of all signs": signs.logsumexp(dim=1) - logits[:, -1],
        "no sign: odds of the top sign": signs.amax(dim=1) - logits[:, -1],
        "shipped: top sign against all else": known_logit(logits),
    }


@dataclass(frozen=True)
class Separation:
    """How well one score separates signs from something else.

    Attributes:
        score: its name.
        against: "background", or "never seen" for classes that were held out.
        auroc: area under the ROC curve.
        alarms: share of the others that pass, by the share of the signs that shall pass.
    """

    score: str
    against: str
    auroc: float
    alarms: dict[float, float]


def compare(
    checkpoint: Path, *, data_root: Path | None = None, background: Path | None = None
) -> list[Separation]:
    """Measure all scores.

    Raises:
        DataError: the checkpoint or the data cannot be read, or there is nothing that should be refused.
    """
    content = read_checkpoint(checkpoint)
    if content["task"] != SignTask.TASK:
        raise DataError(f"{checkpoint} is for {content['task']}; only signs are known or not")
    task, data = restore(content, data_root=data_root, background=background)
    data.setup()
    require_labels(data.labels, tuple(task.labels), data.root)
    require_same_split(data, content)
    if not data.background and not data.hold_out:
        raise DataError(
            f"{checkpoint} was trained with neither --data.background nor --data.hold_out to refuse"
        )
    if learnt(task, data):
        print("the net has learnt from the validation part: these figures hold for no other pictures")
    frames, ids = data.val.tensors
    classes = len(task.labels)
    separations = []
    for name, score in scores(task, data.train.tensors, frames).items():
        for against, which in (("background", ids == classes), ("never seen", ids > classes)):
            if which.any():
                separations.append(separation(name, against, score[ids < classes], score[which]))
    return separations


def separation(name: str, against: str, signs: Tensor, others: Tensor) -> Separation:
    """Measure one score, given for (N,) signs and (M,) other things."""
    # torchmetrics needs scores in 0…1, and ranks keep their order.
    ranks = torch.cat([signs, others]).unique(return_inverse=True)[1].double()
    is_sign = torch.cat([torch.ones(len(signs)), torch.zeros(len(others))]).long()
    auroc = float(binary_auroc(ranks / ranks.max(), is_sign))
    alarms = {
        accepted: false_alarms(signs.numpy(), others.numpy(), accepted=accepted) for accepted in ACCEPTED
    }
    return Separation(name, against, auroc, alarms)


def table(separations: Sequence[Separation]) -> Table:
    """The comparison as a table."""
    columns = [f"passes at {accepted:.0%}" for accepted in ACCEPTED]
    table = Table("score", "against", "AUROC", *columns, box=None)
    for one in separations:
        alarms = (f"{100 * alarm:.2f} %" for alarm in one.alarms.values())
        table.add_row(one.score, one.against, f"{one.auroc:.4f}", *alarms)
    return table


def main() -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.known", description="Compare ways to refuse what is no known sign."
    )
    parser.add_argument("checkpoint", type=Path, help="a .ckpt of a sign classifier")
    parser.add_argument("--data", type=Path, help="where the data set is now, if it moved since training")
    parser.add_argument("--background", type=Path, help="where the pictures of background are now, likewise")
    options = parser.parse_args()
    try:
        separations = compare(options.checkpoint, data_root=options.data, background=options.background)
    except (PerceptionError, DataError, OSError) as error:
        sys.exit(str(error))
    Console().print(table(separations))


if __name__ == "__main__":
    main()
