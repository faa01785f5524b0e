"""Draw a training's curves from its TensorBoard log.

python -m scripts.curve runs/signs/lightning_logs/version_0 models/signs.png
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import matplotlib.pyplot as plt
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

MEASURES = ("val_accuracy", "val_miou")  # one of them, by the task


def main() -> None:
    """Read the log and write the picture."""
    parser = argparse.ArgumentParser(prog="python -m scripts.curve", description="Draw a training's curves.")
    parser.add_argument("run", type=Path, help="folder of the run: runs/signs/lightning_logs/version_0")
    parser.add_argument("picture", type=Path, help="where the picture goes: curve.png")
    options = parser.parse_args()
    run, picture = options.run, options.picture
    if not run.is_dir():
        sys.exit(f"{run}: no such folder")
    log = EventAccumulator(str(run), size_guidance={"scalars": 0})
    log.Reload()
    measure = next((name for name in MEASURES if name in log.Tags()["scalars"]), None)
    if measure is None:
        sys.exit(f"{run} logs neither of {', '.join(MEASURES)}: it never validated")
    has_loss = "train_loss" in log.Tags()["scalars"]  # which the shortest runs do not log
    loss = log.Scalars("train_loss") if has_loss else []
    score, epochs = log.Scalars(measure), log.Scalars("epoch")
    epoch_of = {event.step: event.value for event in epochs}
    steps_an_epoch = (score[-1].step + 1) / (epoch_of[score[-1].step] + 1)

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
    left.plot([event.step / steps_an_epoch for event in loss], [event.value for event in loss], lw=0.8)
    left.set(xlabel="epoch", ylabel="training loss")
    ends = [(event.step + 1) / steps_an_epoch for event in score]
    right.plot(ends, [100 * event.value for event in score], marker=".", lw=0.8)
    right.set(xlabel="epoch", ylabel=f"{measure.removeprefix('val_')} on validation, %")
    if measure == "val_accuracy" and score[-1].value > 0.97:  # the first epochs would flatten the others
        right.set_ylim(97, 100)
    for axis in (left, right):
        axis.grid(alpha=0.3)
    figure.savefig(picture, dpi=80)


if __name__ == "__main__":
    main()
