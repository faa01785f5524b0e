"""Attack: how little it takes to mislead a net on purpose, and what its exported files say of that.

weights ─► the net ─► noise of growing radius (FGSM, PGD, the strongest) ─► the net itself
                  └─► a patch, a sticker to print                       └─► model files, INT8 too (transfer)
        ─► attack.json, report.html, attack.jpg, sticker.svg; and a data set to learn from
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from torch import Tensor

import perception
from perception.frames import Frame
from perception.paths import replacing, writing
from perception.report import tables
from training import adversarial
from training.attack import patch, radii, report
from training.attack.measured import NET, Attacked, Patched
from training.attack.radii import Effort
from training.attack.victim import Victim
from training.datasets.images import DataError, require_labels
from training.evaluate.evaluation import spread
from training.opened import MODEL, Opened, open_net, parts
from training.pieces import Pieces, decided_by, kept
from training.tasks import column

INT8 = ".int8.onnx"
SHOWN = 6  # crops with each patch
SIGN_MM = 60.0  # of a sign on small tracks, for the size of the sticker


@dataclass(frozen=True)
class Patching:
    """Patches to learn.

    Attributes:
        size: side of a patch, as a share of a crop's; 0 learns none.
        steps: of learning.
        sign_mm: width of the printed signs, for the size of the sticker.
    """

    size: float = 0.25
    steps: int = 200
    sign_mm: float = SIGN_MM


EFFORT, PATCHING = Effort(), Patching()


def attack(
    weights: Path,
    data: Path,
    *,
    out: Path,
    files: Sequence[Path] = (),
    limit: int = 256,
    effort: Effort = EFFORT,
    patching: Patching = PATCHING,
    write: Path | None = None,
    resume: bool = False,
) -> Attacked:
    """Attack a net, and write what was measured and what misled it.

    Args:
        weights: of the net, see :func:`training.opened.open_net`; of a model file, its own are taken.
        data: root of the data set; its classes must be the net's.
        out: folder for the files.
        files: exported files that get the same pictures; empty takes those beside the weights.
        limit: at most so many crops are attacked, and so many learnt from.
        effort: how hard the attacks on pixels try.
        patching: patches to learn.
        write: a new folder for a data set with attacked crops beside those to learn from; None writes none.
        resume: go on with a run that was interrupted in this folder, see :mod:`training.pieces`.

    Raises:
        DataError: something cannot be read, or does not suit the rest or the run to resume.
        ModelError: a model file cannot be used, or nothing is attacked for its task.
    """
    require_sound(limit, effort, patching, write)
    opened = open_net(weights)
    victim: Victim = column(opened.spec.task, "attack")(opened, data, weights)
    items = spread(victim.val, limit)
    with ExitStack() as stack:
        files = files or beside(weights)
        runners = {path.name: _open(stack, path, opened) for path in files}
        print(f"{len(items)} crops, radii {effort.radii_given}; {', '.join([NET, *runners])}")
        settings = {**vars(effort), **vars(patching)}
        used = dict.fromkeys([*parts(opened), weights, *files])
        about = decided_by("attack", files=used, data=[data], out=out, limit=limit, **settings)
        pieces = stack.enter_context(kept(out, about, resume=resume))
        counts = radii.count(victim, runners, items, effort, pieces)
        is_whole = counts.crops == len(items)
        covering = patching if is_whole else Patching(0.0)
        patches, shown, drawn = _patches(victim, runners, items, covering, limit=limit, pieces=pieces)
        done = replace(
            _measured(counts, (NET, *runners), effort),
            wanted=len(items),
            patches=patches,
            settings={"model": weights.name, "data": data.name, **settings},
            remarks=victim.remarks,
        )
        _write(done, drawn, shown, out, sticker_mm(opened, patching))
        if write and is_whole:
            enrich(victim, write, effort, limit, pieces)
        pieces.is_over = is_whole
    _print(done, out, write if is_whole else None)
    return done


def require_sound(limit: int, effort: Effort, patching: Patching, write: Path | None) -> None:
    """Refuse what cannot be done before anything long begins.

    Raises:
        DataError: naming the option.
    """
    if limit < 1:
        raise DataError(f"--limit is {limit}; it must be 1 or more")
    is_in_range = all(0 < radius <= 255 for radius in effort.radii)
    if not effort.radii or not is_in_range or list(effort.radii) != sorted(set(effort.radii)):
        raise DataError(
            f"--radii are {effort.radii_given}; they must be above 0 and at most 255, the smallest first, as "
            "1 2 4 8"
        )
    if min(effort.steps, effort.starts, patching.steps) < 1:
        raise DataError("--steps, --starts and --patch-steps must be 1 or more")
    if not 0 <= patching.size <= 0.5:
        raise DataError(f"--patch is {patching.size}; it must be a share of the crop between 0 and 0.5")
    if write and write.exists():
        raise DataError(f"{write} exists already; give --write the name of a new folder")


def beside(weights: Path) -> tuple[Path, ...]:
    """The exported files of the same net: NAME.onnx and NAME.int8.onnx."""
    return tuple(path for suffix in (MODEL, INT8) if (path := weights.with_suffix(suffix)).is_file())


def _measured(counts: radii.Counts, targets: Sequence[str], effort: Effort) -> Attacked:
    every = (0.0, *effort.radii)
    return Attacked(
        crops=counts.crops,
        wanted=counts.crops,
        radii=every,
        accuracy=counts.accuracy(targets, every),
        settings={},
        examples=tuple(counts.examples),
    )


def enrich(victim: Victim, folder: Path, effort: Effort, limit: int, pieces: Pieces) -> None:
    """Write a data set with attacked crops; as a whole or not at all.

    Each attacked crop has noise of PGD at the largest radius. Nothing that validates is attacked.
    """
    attacked: dict[Path, NDArray[np.uint8]] = {}
    items = spread(victim.train, limit)
    for start in track(range(0, len(items), radii.BATCH), "Attacking crops to learn from"):
        batch = items[start : start + radii.BATCH]
        noisy = pieces.once(f"crops to learn from {start}", partial(_noisy, victim, batch, effort, start))
        attacked |= {victim.path(item): frame for item, frame in zip(batch, noisy)}
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        with writing(part):
            part.mkdir(parents=True)
            victim.write(part, attacked)
            part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _noisy(victim: Victim, items: Sequence[Any], effort: Effort, seed: int) -> list[NDArray[np.uint8]]:
    """A batch of crops with noise of the largest radius."""
    torch.manual_seed(seed)
    radius, steps = effort.radii[-1], effort.steps
    frames, ids = victim.read(items)
    noisy = adversarial.pgd(
        victim.logits, frames, ids, adversarial.cross_entropy(), radius=radius, steps=steps
    )
    return [radii.picture(frame) for frame in radii.as_bytes(noisy)]


def _open(stack: ExitStack, path: Path, opened: Opened) -> Any:
    model = stack.enter_context(perception.load(path, device="cpu"))
    require_labels(model.spec.labels, opened.spec.labels, path)
    if model.spec.task != opened.spec.task or model.spec.input_hw != opened.spec.input_hw:
        raise DataError(f"{path} takes other pictures than {opened.path}; leave it out of --against")
    return model


def _patches(
    victim: Victim,
    runners: Mapping[str, Any],
    items: Sequence[Any],
    patching: Patching,
    *,
    limit: int,
    pieces: Pieces,
) -> tuple[tuple[Patched, ...], dict[str, list[Frame]], dict[str, Frame]]:
    """What patches leave, some crops with each, and the patches."""
    if not patching.size:
        return (), {}, {}
    learnt_from = victim.read(spread(victim.train or victim.val, limit))
    frames, ids = victim.read(items)
    kinds = {}
    for how in (patch.DIGITAL, patch.STICKER):
        name = f"learnt {how.name}"
        learnt = pieces.once(name, partial(_learnt, victim, learnt_from, how, patching))
        kinds[name] = (torch.from_numpy(learnt), how)
    measured, shown, drawn = [], {}, {}
    for name, (own, how) in {"grey patch": (patch.grey(), patch.DIGITAL), **kinds}.items():
        covered = patch.patched(frames, own, how, size=patching.size)
        given = radii.everyone(victim, runners, covered)
        right = {target: float((answers == ids.numpy()).mean()) for target, answers in given.items()}
        measured.append(Patched(name, right))
        misread = np.flatnonzero(given[NET] != ids.numpy())[:SHOWN]
        shown[name] = [radii.picture(covered[int(place)]) for place in misread]
        drawn[name] = radii.picture(own)
    return tuple(measured), {name: crops for name, crops in shown.items() if crops}, drawn


def _learnt(
    victim: Victim, crops: tuple[Tensor, Tensor], how: patch.Print, patching: Patching
) -> NDArray[np.float32]:
    learnt = patch.learn(victim, *crops, how, size=patching.size, steps=patching.steps)
    return np.asarray(learnt.numpy(), np.float32)


def sticker_mm(opened: Opened, patching: Patching) -> float:
    """Side of the printed sticker: a crop shows the margin around the sign as well."""
    return patching.size * patching.sign_mm * (1 + 2 * opened.spec.box_margin)


def _write(
    done: Attacked,
    drawn: Mapping[str, Frame],
    shown: Mapping[str, Sequence[Frame]],
    out: Path,
    size_mm: float,
) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with replacing(out / "attack.json") as unfinished:
        text = json.dumps(done.to_json(), indent=2, ensure_ascii=False) + "\n"
        unfinished.write_text(text, "utf-8", errors="replace")
    report.page(done, drawn, shown).save(out / "report.html")
    _, data = cv2.imencode(".jpg", report.sheet(done, shown), [cv2.IMWRITE_JPEG_QUALITY, 85])
    with replacing(out / "attack.jpg") as unfinished:
        unfinished.write_bytes(data.tobytes())
    sticker = drawn.get(f"learnt {patch.STICKER.name}")
    if sticker is not None:
        with replacing(out / "sticker.svg") as unfinished:
            unfinished.write_text(report.sticker_svg(sticker, size_mm), "utf-8")
        print(f"sticker.svg: to print, {size_mm:.0f} mm wide, for signs of {done.settings['sign_mm']:g} mm")


def _print(done: Attacked, out: Path, write: Path | None) -> None:
    console = Console()
    for target in done.accuracy:
        console.print(tables.numbers(report.header(done, target), report.rows(done, target)))
    if done.patches:
        console.print(tables.numbers(*report.patch_rows(done)))
    for line in report.in_words(done):
        print(line)
    if write:
        print(f"{write}: a data set with attacked crops; give it to fit as --data.root")
    print(f"report: {out / 'report.html'}")
