"""What TensorBoard shows of a training beside its curves, with ``tensorboard --logdir runs`` and no more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import TensorBoardLogger
from torch import nn
from torch.utils.tensorboard import SummaryWriter

import perception
from training.board.graph import of_net
from training.board.pictures import show_answers, show_features, some_frames, some_of


def logger(folder: Path) -> TensorBoardLogger:
    """Lightning's own logger, but for its placeholder ``hp_metric``.

    Lightning writes the settings beside that placeholder when a training begins, and TensorBoard takes the
    first settings of a run and ignores all later ones. See :class:`training.board.settings.Settings`.
    """
    return TensorBoardLogger(folder, name="lightning_logs", default_hp_metric=False)


def show(board: Any, net: nn.Module, data: Any, model: Path, *, step: int) -> None:
    """Write the net's graph, the model's answers to validation pictures, and their features.

    A training is whole without them, so what cannot be shown is said on the terminal.

    Args:
        board: the training's logger; any other than TensorBoard's is left alone.
        net: what was trained.
        data: its data module, set up.
        model: the exported file, which gives answers and features.
        step: the last one of the training.
    """
    if not isinstance(board, TensorBoardLogger):
        return
    try:
        # Lightning has closed its own file.
        with SummaryWriter(board.log_dir) as writer:
            frames, names = some_frames(data)
            with perception.load(model, device="cpu") as answer:
                show_answers(writer, answer, some_of(frames), step=step)
            show_features(writer, model, frames, names)
            writer.file_writer.add_event(of_net(net, frames[0]))
    except Exception as error:  # whatever it is, hours of training have their model already
        print(f"TensorBoard does not show all of {model}: {error!r}")
