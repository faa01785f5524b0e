"""Check: everything that is wrong with a data set, listed before training rather than met during it."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import lightning as L
from rich.console import Console
from rich.table import Table
from rich.text import Text

from training.check.problems import Finding, Kind, counted
from training.datasets import camvid, gtsrb
from training.datasets.images import DataError, require_folder
from training.segmentation import data as segmentation
from training.segmentation.check import PARTS, check_masks
from training.signs import data as signs
from training.signs.check import check_signs

PATHS = 10  # listed for each kind of finding

__all__ = ["Finding", "Kind", "check", "require_sound", "run"]


def check(root: Path, **options: Any) -> list[Finding]:
    """Look at every file of a data set, of signs or of masks, whichever it is.

    Args:
        root: the data set.
        options: for signs: of :func:`check_signs`.

    Returns:
        Everything that was found, by kind, errors first.

    Raises:
        DataError: there is no such folder, or an option does not suit the data set.
    """
    require_folder(root)
    if not _is_masks(root):
        return check_signs(root, **options)
    if options.get("background") or options.get("hold_out"):
        raise DataError(f"{root} holds masks; --background and --hold_out are for signs")
    return check_masks(root)


def _is_masks(root: Path) -> bool:
    """Whether it has, or is to have, a layout of masks; folders of classes may have any name, "train" too."""
    own = ("classes.json", *(f"{part}/{kind}" for part in PARTS for kind in ("images", "masks")))
    there = any((root / name).exists() for name in ("leftImg8bit", "gtFine", *own))
    return not gtsrb.is_gtsrb(root) and (there or camvid.is_camvid(root))


def require_sound(data: L.LightningDataModule) -> None:
    """Refuse to train where results would be meaningless.

    Args:
        data: SignData or MaskData, before or after ``setup``; others pass.

    Raises:
        DataError: the check finds errors; the message has the first of each kind.
    """
    options = ""
    if isinstance(data, (signs.SignData, segmentation.MaskData)):
        require_folder(data.root)
    if isinstance(data, signs.SignData):
        if _is_masks(data.root):
            raise DataError(
                f"{data.root} holds masks; --config training/configs/segnet.yaml learns from such"
            )
        options = f" --val_fraction {data.val_fraction} --seed {data.seed}"
        options += f" --background {shlex.quote(str(data.background))}" if data.background else ""
        options += f" --hold_out {shlex.join(data.hold_out)}" if data.hold_out else ""
        findings = check_signs(
            data.root,
            background=data.background,
            val_fraction=data.val_fraction,
            seed=data.seed,
            hold_out=data.hold_out,
        )
    elif isinstance(data, segmentation.MaskData):
        if not _is_masks(data.root):
            raise DataError(
                f"{data.root} has no layout of masks (docs/training.md); --config "
                "training/configs/signs.yaml learns from folders of signs"
            )
        findings = check_masks(data.root)
    else:
        return
    counts = Counter(found.kind for found in findings if found.severity == "error")
    if counts:
        first = {found.kind: found for found in reversed(findings)}
        lines = [
            f"{kind.title} ({n}): {first[kind].path}: {first[kind].message}" for kind, n in counts.items()
        ]
        raise DataError(
            "\n  ".join((f"{data.root} would give meaningless results", *lines))
            + f"\npython -m training check {shlex.quote(str(data.root))}{options} lists everything"
        )


def run(root: Path, *, everything: bool = False, **options: Any) -> None:
    """Check a data set and print what was found.

    Args:
        root: the data set.
        everything: print every path, not the first ten of each kind.
        options: of :func:`check`.

    Raises:
        DataError: as :func:`check`, or there are errors.
    """
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # the table says it, with the path
    findings = check(root, **options)
    console = Console()
    for kind, of_kind in groupby(findings, key=lambda found: found.kind):
        _show(kind, list(of_kind), root, console, limit=None if everything else PATHS)
    errors = sum(found.severity == "error" for found in findings)
    if errors:
        raise DataError(f"{counted(errors, 'error')} in {root}; mend them and check again, fit refuses them")
    warnings = f"no errors, {counted(len(findings), 'warning')}" if findings else "nothing wrong"
    console.print(Text(f"{root}: {warnings}; go on with python -m training fit"), soft_wrap=True)


def _show(
    kind: Kind, findings: Sequence[Finding], root: Path, console: Console, *, limit: int | None
) -> None:
    color = "red" if kind.severity == "error" else "yellow"
    title = Text.assemble(
        (f"{kind.severity}: ", f"bold {color}"), (f"{kind.title} ({len(findings)})", "bold")
    )
    console.print(title.append(f" – {kind.advice}"))
    table = Table(box=None, show_header=False, padding=(0, 0, 0, 2))
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for found in findings[:limit]:
        # Inside the data set, paths are short.
        table.add_row(*(Text(str(cell).replace(f"{root}/", "", 1)) for cell in (found.path, found.message)))
    if len(findings) > len(findings[:limit]):
        table.add_row(f"and {len(findings) - len(findings[:limit])} more", "--all lists them")
    console.print(table)
    console.print()
