"""Training: Lightning's command line with the callbacks that every run has, and the export at its end."""

from __future__ import annotations

import gc
import json
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

from perception.paths import unwritten
from training import batch_size, board, internals
from training.board.answers import Answers
from training.board.settings import Settings
from training.callbacks import Resumable, RunningAverage
from training.check import Problem, in_brief, require_sound, understood
from training.checkpoint import require_same_run
from training.datasets.images import DataError
from training.distributed import Together, first_alone_prints, part
from training.export import export
from training.malloc import fail_at_the_end
from training.precision import usable_precision
from training.recorder import Recorder
from training.run import NAME, Run
from training.usage import Parser

# How the CPU's allocator, CUDA and its libraries say it, in errors that have no class of their own.
OUT_OF_MEMORY = ("can't allocate memory", "out of memory", "ALLOC_FAILED")


class CommandLine(internals.PlainCommandLine):
    """One training as the arguments say, and its export.

    Args:
        arguments: as on the command line, from ``fit`` on.
        recorder: writes down what happens.
        calibration: model whose calibration the exported one takes, see :func:`export`.
    """

    def __init__(
        self, arguments: Sequence[str], recorder: Recorder, *, calibration: Path | None = None
    ) -> None:
        self.recorder = recorder
        self.calibration = calibration
        self.every_epoch = ModelCheckpoint(
            filename="last", enable_version_counter=False, save_on_train_epoch_end=True
        )
        callbacks: list[Callback] = [
            RunningAverage(),
            self.every_epoch,
            LearningRateMonitor(),
            Together(),
            Resumable(),
            Settings(),
            Answers(),
            recorder,
        ]
        super().__init__(
            L.LightningModule,
            L.LightningDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            save_config_kwargs={"overwrite": True},
            trainer_defaults={"callbacks": callbacks, "devices": 1, "precision": "32-true"},
            auto_configure_optimizers=False,
            parser_kwargs={"prog": "python -m training"},
            parser_class=Parser,
            args=list(arguments),
        )

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        return {"fit": LightningCLI.subcommands()["fit"]}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument(
            "--find_batch_size",
            type=bool,
            default=False,
            help="double --data.batch_size until memory is out, "
            f"{batch_size.DOUBLINGS} times at most, and train with the largest size that fits",
        )
        parser.add_argument(
            "--refit",
            type=bool,
            default=False,
            help="train a second time, on the validation part as well; the first model calibrates the second",
        )

    def before_instantiate_classes(self) -> None:
        trainer = self.config.fit.trainer
        on_cpu = trainer.accelerator == "cpu" or (
            trainer.accelerator == "auto" and not torch.accelerator.is_available()
        )
        if on_cpu:
            fail_at_the_end()
        trainer.precision = usable_precision(str(trainer.precision), on_cpu=on_cpu)

    def instantiate_trainer(self, **kwargs: Any) -> L.Trainer:
        options = self.config_init.fit.trainer
        if options.logger in (None, True):
            kwargs["logger"] = board.logger(Path(options.default_root_dir or "."))
        return super().instantiate_trainer(**kwargs)

    def before_fit(self) -> None:
        options = self.config.fit
        processes = self.trainer.world_size
        if processes > 1:
            if options.find_batch_size:
                raise DataError(
                    "--find_batch_size tries batches on one device; find the size with --trainer.devices 1, "
                    "and give it by --data.batch_size"
                )
            size = self.datamodule.batch_size
            print(
                f"{processes} processes: a step learns from {processes} × {size} = {processes * size} frames"
            )
        if options.refit and self.datamodule.train_on_val:
            raise DataError("--refit needs a first training that validates; leave out --data.train_on_val")
        self.model.is_resumed = bool(options.ckpt_path)
        internals.resume_at_next_epoch(self.trainer)
        if options.ckpt_path:
            require_same_run(Path(options.ckpt_path), self.model, self.datamodule)
            if options.find_batch_size:
                raise DataError(
                    "a training goes on with the batch size it began with; leave out --find_batch_size"
                )
        # Before minutes are spent on data that nothing can be learnt from.
        if self.trainer.local_rank == 0:  # one process looks at the files of each machine
            problems = require_sound(self.datamodule)
            if not self.calibration:  # else the first of two trainings has said it
                report_data(self.datamodule, problems)
        if options.find_batch_size:
            batch = batch_size.find_batch_size(
                self.model,
                self.datamodule,
                accelerator=options.trainer.accelerator,
                devices=options.trainer.devices,
                precision=options.trainer.precision,
                folder=Path(self.trainer.default_root_dir),
            )
            batch_size.report(batch)
        validates = options.trainer.limit_val_batches != 0 and not self.datamodule.train_on_val
        if getattr(self.model, "start", None) and validates and not options.ckpt_path:
            self.recorder.before = self._measured_start()
        self.recorder.config = json.loads(self.parser.dump(self.config, format="json", skip_none=False))[
            "fit"
        ]

    def _measured_start(self) -> dict[str, float]:
        """What validation says of the weights to start from, if they are a whole net for these classes."""
        (metrics,) = self.trainer.validate(self.model, self.datamodule, verbose=False)
        return {name: float(value) for name, value in metrics.items()} if self.model.starts_whole else {}

    def after_fit(self) -> None:
        """Export what was trained, beside the checkpoint. The first of several processes does it."""
        part()
        if self.config.fit.trainer.fast_dev_run or not self.trainer.is_global_zero:
            return
        checkpoint = Path(self.every_epoch.best_model_path)
        model = checkpoint.with_name(f"{self.model.TASK}.onnx")
        export(checkpoint, model, calibration=self.calibration, data=self.datamodule)
        self.recorder.exported = model
        board.show(self.trainer.logger, self.model.net, self.datamodule, model, step=self.trainer.global_step)


def report_data(data: Any, problems: Sequence[Problem]) -> None:
    """Print what the data set was taken for, and the warnings about it, a line for each kind."""
    lines = list(in_brief(problems, data.root))
    if summary := understood(data.root):
        print(f"{data.root}: {summary}")
    for line in lines:
        print(line)
    if lines:
        print("python -m training check lists them all")


def fit(arguments: Sequence[str]) -> list[Run]:
    """Train as the command line says: ``--config …`` and whatever else Lightning's ``fit`` takes.

    ``last.ckpt`` is written after every epoch and holds the running average of the weights (EMA) beside the
    current ones. The last epoch's average is exported, beside it: the validation score chooses nothing.

    Args:
        arguments: what comes after ``fit``.

    Returns:
        The training; with ``--refit``, the one that is measured and the one that has learnt from all data.
        Empty for a ``fast_dev_run``, and for all but the first of several processes.

    Raises:
        DataError: the data set, or what to start from, cannot be used; or memory is out.
        ExportError: the trained net is not fit to be exported.
    """
    with explained(), first_alone_prints():
        run, again = train(arguments)
        if not again:
            return [run] if run else []
        if run:
            print(f"{run.model_path} is measured; now the same training, on the validation part as well")
        gc.collect()  # or the pictures of the first training would stay in memory
        final, _ = train([*arguments, *again], calibration=run.model_path if run else None)
    return [one for one in (run, final) if one]


@contextmanager
def explained() -> Iterator[None]:
    """Within it, a training's errors that are the user's to fix say what to do.

    Raises:
        DataError: memory is out, or options do not go together.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        is_memory = isinstance(error, (torch.OutOfMemoryError, MemoryError))
        if is_memory or any(text in str(error) for text in OUT_OF_MEMORY):
            raise DataError(
                "out of memory: halve --data.batch_size, lower the size of the pictures (--data.size, or "
                "--data.size_hw and --data.crop_hw), or let --find_batch_size true find the largest batch "
                "that fits"
            ) from error
        raise
    except MisconfigurationException as error:
        raise DataError(str(error)) from error


def train(
    arguments: Sequence[str],
    *,
    calibration: Path | None = None,
    command_line: Callable[..., CommandLine] = CommandLine,
) -> tuple[Run | None, list[str]]:
    """Train once, and write run.json.

    Args:
        arguments: what comes after ``fit``.
        calibration: see :func:`export`.
        command_line: the class, or one that takes the same arguments and adds to it.

    Returns:
        The training, and what to add to the arguments for a second one, if there shall be one.
    """
    quieten_lightning()
    recorder = Recorder()
    try:
        done = command_line(["fit", *arguments], recorder, calibration=calibration)
    except BaseException as error:
        ended = recorder.end(error)
        if ended and isinstance(error, OSError) and error.filename is None:  # a full disk, say
            raise unwritten(error, ended.folder) from error
        raise
    run = recorder.end()
    if calibration or not done.config.fit.refit or done.config.fit.trainer.fast_dev_run:
        return run, []
    size = ["--find_batch_size=false", f"--data.batch_size={done.datamodule.batch_size}"]
    return run, ["--refit=false", "--data.train_on_val=true", "--ckpt_path=null", *size]


def quieten_lightning() -> None:
    """Leave out what Lightning says of every training here, and what no user can or need change."""
    # These arguments hide those of sys.argv, which have them; configure_model shards no layers here; and a
    # summary counts parameters, whatever the precision is.
    for message in (
        "LightningCLI's args parameter",
        "You're using the WeightAveraging",
        "Precision .* summary",
    ):
        warnings.filterwarnings("ignore", message=message)
    # A recommendation of another product.
    log = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    log.addFilter(_is_no_recommendation)


def _is_no_recommendation(record: logging.LogRecord) -> bool:
    return "litlogger" not in record.getMessage()


def report(runs: Sequence[Run]) -> None:
    """Print where the results are."""
    if len(runs) == 2:
        print(f"measured: {runs[0].model_path}\nfinal, calibrated by it: {runs[1].model_path}")
    for run in runs:
        for name in sorted(run.before.keys() & run.metrics.keys()):
            print(
                f"{name}: {run.before[name]:.4f} before, now {run.metrics[name]:.4f}, on what was kept aside"
            )
        print(f"run: {run.folder / NAME}")
