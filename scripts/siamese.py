"""Does metric learning refuse signs never seen better? The study behind docs/experiments/siamese.md.

    python -m scripts.siamese GTSRB --background GTSDB --out runs/siamese

trains the sign classifier twice without five classes: once as it ships, once with a triplet loss on its
features, which draws the crops of a class together and pushes other classes away (the loss of Siamese nets).
Then both are measured as ``scripts.known`` does, nearest neighbours in feature space among the scores.
Further options go to ``fit``.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch
from rich.console import Console
from torch import Tensor
from torch.nn import functional as F

from perception.errors import PerceptionError
from scripts.known import compare, table
from training.datasets.images import DataError
from training.fit import fit
from training.signs.task import SignTask

# numpy.random.default_rng(0).choice(43, 5, replace=False)
HELD_OUT = (
    "Right of way at next crossing",
    "Give way",
    "Bend to right",
    "Road works",
    "Turn right ahead",
)
WEIGHT = 0.5  # of the triplet loss
MODELS = {"as it ships": [], "with a triplet loss": ["--model=scripts.siamese.SiameseTask"]}
MARGIN = 0.3  # cosine distance by which another class should be farther away


class SiameseTask(SignTask):
    """Adds a triplet loss on the features to the cross entropy; "no known sign" is one of the classes."""

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        frames, ids = batch
        features = self.net.pooled(frames.to(memory_format=torch.channels_last))
        logits = self.net.head(features).float()
        loss = F.cross_entropy(logits, ids, label_smoothing=self.label_smoothing)
        loss = loss + WEIGHT * batch_hard_triplet(features.float(), ids)
        self.log("train_loss", loss, prog_bar=True)
        return loss


def batch_hard_triplet(features: Tensor, ids: Tensor, *, margin: float = MARGIN) -> Tensor:
    """How much the farthest of its own class is not nearer than the nearest of another (Hermans et al. 2017).

    Args:
        features: (N, F), compared by direction.
        ids: (N,) class ids.
        margin: by which it should be nearer, in cosine distance.

    Returns:
        The mean over the batch.
    """
    unit = F.normalize(features, dim=1)
    distance = 1.0 - unit @ unit.T
    same = ids[:, None] == ids
    farthest = distance.masked_fill(~same, -1.0).amax(dim=1)
    nearest = distance.masked_fill(same, 3.0).amin(dim=1)
    return F.relu(farthest - nearest + margin).mean()


def main() -> None:
    """Train both, and print both comparisons."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="GTSRB, or another data set of signs")
    parser.add_argument("--background", type=Path, required=True, help="pictures of background (GTSDB)")
    parser.add_argument("--out", type=Path, default=Path("runs/siamese"), help="(default: runs/siamese)")
    parser.add_argument("--hold_out", nargs="+", default=HELD_OUT, help="classes that no training sees")
    parser.add_argument("--epochs", type=int, default=12, help="(default: 12)")
    options, others = parser.parse_known_args()
    given = ["--config=training/configs/signs.yaml", f"--data.root={options.root}"]
    given += [f"--data.background={options.background}", f"--data.hold_out={json.dumps(options.hold_out)}"]
    given += [f"--trainer.max_epochs={options.epochs}", *others]
    console = Console(width=100)
    try:
        for name, model in MODELS.items():
            where = f"--trainer.default_root_dir={options.out / name.replace(' ', '_')}"
            (run,) = fit([*given, where, *model])
            checkpoint = run.folder / run.checkpoint
            console.print(f"\n{name}: {checkpoint}", highlight=False)
            console.print(table(compare(checkpoint)))
    except (PerceptionError, DataError, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
