"""Train: a data set, a config and the few settings that matter become a command in the queue."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Query, Request
from fastapi.responses import Response

from studio import curves, names, runs
from studio.catalogue import READY, DataSet
from studio.configs import Config, configs
from studio.jobs import DONE, Job
from studio.page import leave
from studio.rooms.data import report_of
from studio.settings import StudioError
from studio.shared import Studio, of
from training.run import Run

router = APIRouter(prefix="/train")

KIND, TRIAL = "train", "trial"
TRIAL_STEPS = 12  # of which the median is taken; the first ones are slow
DEVICE = "training"  # one training at a time
CHECKPOINT = "checkpoints/last.ckpt"

Count = Annotated[int, Form(ge=1, le=100_000)]


@router.get("")
def room(request: Request, set_id: Annotated[str, Query(alias="set")] = "", config: str = "") -> Response:
    """Choose a data set, then a config, then its settings; and the trainings that were asked for."""
    studio = of(request)
    sets = [one for one in studio.catalogue.sets() if one.state == READY]
    chosen = next((one for one in sets if one.id == set_id), None)
    fitting = {name: one for name, one in configs().items() if chosen and one.task == chosen.task}
    return studio.page(
        request,
        "train",
        sets=sets,
        set=chosen,
        configs=fitting,
        config=fitting.get(config),
        has_list=chosen is not None and _left_out(studio, chosen).exists(),
        name=config,
        trial=_trial(studio, chosen, config) if chosen and config in fitting else None,
        jobs=studio.jobs.latest(kind=KIND, limit=50),
    )


@router.post("")
def start(
    request: Request,
    *,
    set_id: Annotated[str, Form(alias="set")],
    config: Annotated[str, Form()],
    epochs: Count,
    batch_size: Count,
    lr: Annotated[float, Form(gt=0.0, lt=100.0)],
    seed: Annotated[int, Form(ge=0, le=2**31)] = 0,
    name: Annotated[str, Form(max_length=60)] = "",
    leave_out: Annotated[bool, Form()] = False,
) -> Response:
    """Queue a training."""
    studio = of(request)
    one, used = _chosen(studio, set_id, config)
    folder = _folder(studio, name or f"{one.path.name} {config}")
    argv = [
        *_fit(used, one, folder),
        *("--seed_everything", str(seed), "--trainer.max_epochs", str(epochs)),
        *("--data.batch_size", str(batch_size), "--model.lr", str(lr)),
    ]
    if leave_out:
        argv += ["--data.exclude", str(_left_out(studio, one))]
    number = studio.jobs.add(folder.name, argv, kind=KIND, device=DEVICE, about=str(folder))
    return leave(request, f"/train/{number}")


@router.post("/trial")
def estimate(
    request: Request,
    set_id: Annotated[str, Form(alias="set")],
    config: Annotated[str, Form()],
    batch_size: Count,
) -> Response:
    """Train a few steps, to see how long all of them would take."""
    studio = of(request)
    one, used = _chosen(studio, set_id, config)
    folder = _trial_folder(studio, one, config)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    argv = [
        *_fit(used, one, folder),
        *("--trainer.max_steps", str(TRIAL_STEPS), "--trainer.limit_val_batches", "0"),
        *("--data.batch_size", str(batch_size)),
    ]
    title = f"{TRIAL_STEPS} steps of {config} on {one.path.name}"
    studio.jobs.add(title, argv, kind=TRIAL, device=DEVICE, about=str(folder))
    return leave(request, f"/train?set={set_id}&config={config}")


@router.get("/{number}")
def training(request: Request, number: int) -> Response:
    """One training: its curves, and what it prints."""
    studio, job = of(request), _training(request, number)
    folder = _newest(Path(job.about))
    logged = runs.curves(folder) if folder else {}
    ended = runs.run(folder) if folder else None
    epochs = ended.epochs if ended else int(logged["epoch"][-1][1]) if "epoch" in logged else 0
    wanted = int(job.argv[job.argv.index("--trainer.max_epochs") + 1])
    left = job.seconds * (wanted - epochs) / epochs if epochs and not job.is_over else 0.0
    return studio.job_page(
        request,
        "training",
        "training_state",
        job,
        epochs=epochs,
        wanted=wanted,
        left=left,
        charts=curves.drawn({job.title: logged}),
        answers=runs.answers(folder) if folder else None,
        run=ended,
        can_go_on=job.is_over and folder is not None and (folder / CHECKPOINT).exists(),
    )


@router.get("/{number}/answers/{place}")
def answers(request: Request, number: int, place: int) -> Response:
    """A validation picture with what the net answered."""
    folder = _newest(Path(_training(request, number).about))
    pictures = runs.answers(folder).pictures if folder else ()
    if not 0 <= place < len(pictures):
        raise HTTPException(404, "There is no such picture")
    return Response(pictures[place], media_type="image/png")


@router.post("/{number}/continue")
def go_on(request: Request, number: int) -> Response:
    """Queue what is left of a training that was stopped, from its last epoch on."""
    studio, job = of(request), _training(request, number)
    folder = _newest(Path(job.about))
    if not job.is_over or folder is None or not (folder / CHECKPOINT).exists():
        raise StudioError("there is no checkpoint to go on from; start the training again")
    argv = [*job.argv]
    if "--ckpt_path" in argv:
        at = argv.index("--ckpt_path")
        del argv[at : at + 2]
    argv += ["--ckpt_path", str(folder / CHECKPOINT)]
    return leave(
        request,
        f"/train/{studio.jobs.add(job.title, argv, kind=KIND, device=DEVICE, about=job.about)}",
    )


@dataclass(frozen=True)
class Trial:
    """A few steps that were trained, or are.

    Attributes:
        job: that trains them.
        run: what came of it; None if it has not ended well.
    """

    job: Job
    run: Run | None

    def seconds(self, epochs: int) -> float:
        """How long so many epochs take, validation aside; 0 if that is not known."""
        return epochs * self.run.steps_an_epoch * self.run.step_s if self.run else 0.0


def _trial(studio: Studio, one: DataSet, config: str) -> Trial | None:
    folder = _trial_folder(studio, one, config)
    job = next(iter(studio.jobs.latest(kind=TRIAL, about=str(folder), limit=1)), None)
    if job is None:
        return None
    found = runs.found([folder])[0] if job.state == DONE else []
    return Trial(job, found[0] if found else None)


def _trial_folder(studio: Studio, one: DataSet, config: str) -> Path:
    return studio.settings.state / "trials" / one.id / config


def _chosen(studio: Studio, set_id: str, config: str) -> tuple[DataSet, Config]:
    one, used = studio.catalogue.get(set_id), configs().get(config)
    if one is None or used is None or used.task != one.task:
        raise StudioError("choose a data set and a config of its task")
    return one, used


def _fit(config: Config, one: DataSet, folder: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "training", "fit", "--config", str(config.path)),
        *("--data.root", str(one.path), "--trainer.default_root_dir", str(folder)),
    ]


def _left_out(studio: Studio, one: DataSet) -> Path:
    """The list of pictures that the audit of a data set would leave out."""
    return report_of(studio, "audits", one.id).with_name("exclude.txt")


def _folder(studio: Studio, name: str) -> Path:
    """A new folder in ``runs`` for a training of this name."""
    taken = {path.name for path in studio.settings.runs.iterdir()}
    taken |= {Path(job.about).name for job in studio.jobs.latest(kind=KIND, limit=10_000)}
    return studio.settings.runs / names.free(names.plain(name, "training"), taken)


def _newest(folder: Path) -> Path | None:
    """Where the last run of a training logs; None if it has not begun."""
    versions = list((folder / runs.LOGS).glob("version_*"))
    return max(versions, key=lambda path: path.stat().st_mtime, default=None)


def _training(request: Request, number: int) -> Job:
    job = of(request).jobs.get(number)
    if job is None or job.kind != KIND:
        raise HTTPException(404, "There is no such training")
    return job
