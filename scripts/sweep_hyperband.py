"""Compare a sweep by Hyperband with a random search of full trainings, on small speed limits of GTSRB.

    python -m scripts.sweep_hyperband GTSRB OUT [--seed 0]

Both try the same settings in the same order, and every training has the same seed. So a trial that both train
to its end ends alike. The printed table says how many epochs of all trials Hyperband took for the value
that the full trainings reached. A second call goes on where the first was stopped.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from rich.console import Console

from perception.report.tables import numbers
from training.datasets.images import DataError
from training.signs import data as signs
from training.sweep import sweep
from training.sweep.report import so_far
from training.sweep.results import Sweep

CLASSES = [f"Speed limit {number}" for number in (20, 30, 50, 60, 70, 80, 100, 120)]
TRACKS, FRAMES = 30, 8  # of each class, at most
FULL, PRUNED = 20, 28  # trials
EPOCHS = 27
PLAN = """
config: training/configs/signs.yaml
metric: val_accuracy
trials: {trials}
sampler: random
seed: {seed}
prune: {prune}
options:
  data.size: 32
  data.val_fraction: 0.34
  model.width: 0.5
  data.deformed: 0.0
  trainer.max_epochs: {epochs}
  trainer.precision: 32-true
  trainer.log_every_n_steps: 5
  trainer.enable_model_summary: false
search:
  model.lr: {{low: 0.0003, high: 0.1, log: true}}
  model.weight_decay: {{low: 0.001, high: 1.0, log: true}}
  model.label_smoothing: {{low: 0.0, high: 0.4}}
  model.muon: [true, false]
  data.batch_size: [16, 32, 64, 128]
  data.spoil: {{low: 0.0, high: 1.0}}
"""


def copy(root: Path, out: Path) -> None:
    """Copy a few frames of a few tracks of each class.

    Raises:
        DataError: the data set lacks a class.
    """
    data_set = signs.read(root)
    for name in CLASSES:
        if name not in data_set.labels:
            raise DataError(f"{root} has no class {name!r}; give GTSRB")
        tracks: dict[str, list[Path]] = {}
        for image in data_set.images:
            if data_set.labels[image.class_id] == name:
                tracks.setdefault(image.track, []).append(image.path)
        (out / name).mkdir(parents=True, exist_ok=True)
        for track in sorted(tracks)[:TRACKS]:
            paths = sorted(tracks[track])
            for path in paths[len(paths) // 3 :: max(1, len(paths) // (FRAMES + 2))][:FRAMES]:
                shutil.copy(path, out / name)


def rows(full: Sweep, pruned: Sweep) -> list[list[str | float | None]]:
    """Trials, epochs and best value of both, and of Hyperband where it got to the other's value."""
    history = list(so_far(pruned))
    spent, wanted = list(so_far(full))[-1]
    reached = next((epochs for epochs, value in history if value >= wanted), None)
    third = max((value for epochs, value in history if epochs <= spent / 3), default=None)
    as_text = "never" if reached is None else f"{reached:.0f} ({reached / spent:.0%})"
    return [
        ["full trainings", len(full.trials), f"{spent:.0f}", f"{wanted:.4f}"],
        ["Hyperband", len(pruned.trials), f"{history[-1][0]:.0f}", f"{history[-1][1]:.4f}"],
        [
            "Hyperband, in a third of the epochs",
            None,
            f"{spent / 3:.0f}",
            None if third is None else f"{third:.4f}",
        ],
        ["Hyperband, until it was as good", None, as_text, f"{wanted:.4f}"],
    ]


def main() -> None:
    """Search twice, and compare."""
    parser = argparse.ArgumentParser(prog="python -m scripts.sweep_hyperband", description=__doc__)
    parser.add_argument("root", type=Path, help="GTSRB")
    parser.add_argument("out", type=Path, help="folder for data, studies and trainings")
    parser.add_argument("--seed", type=int, default=0, help="of the settings that are tried")
    options = parser.parse_args()
    out: Path = options.out
    found = []
    try:
        if not (out / "data").is_dir():
            copy(options.root, out / "data")
        for name, trials, prune in (
            ("full", FULL, "false"),
            ("hyperband", PRUNED, "{after: 0.037, keep: 3}"),
        ):
            file = out / f"{name}_{options.seed}.yaml"
            file.write_text(PLAN.format(trials=trials, seed=options.seed, prune=prune, epochs=EPOCHS))
            given = [f"--data.root={out / 'data'}"]
            found.append(sweep(file, given, out=out / file.stem, resume=True))
    except DataError as error:
        sys.exit(str(error))
    Console().print(numbers(["search", "trials", "epochs", "val_accuracy"], rows(*found)))


if __name__ == "__main__":
    main()
