"""``python -m training labels``: hand label images to a tool, and take over what was labelled there."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from training.commands import SubParsers

if TYPE_CHECKING:
    from training.datasets.labels import Unmapped

LISTED = 10  # of each reason
TOOLS = ("cvat", "coco", "labelme")


def add(commands: SubParsers) -> None:
    """Add the command and its two subcommands."""
    parser = commands.add_parser(
        "labels",
        help="exchange labels with CVAT, LabelMe, Label Studio, Roboflow, COCO, YOLO and VOC",
        description="docs/labels.md describes the forms, and what becomes of overlaps and holes.",
    )
    parser.set_defaults(command=lambda _: parser.print_help())
    ways = parser.add_subparsers(dest="way", metavar="import or export")
    _add_export(ways)
    _add_import(ways)


def _add_export(ways: SubParsers) -> None:
    parser = ways.add_parser("export", help="label images to polygons that a tool can edit")
    parser.add_argument("data", type=Path, metavar="DIR", help="folder with images/, masks/ and classes.json")
    parser.add_argument("out", type=Path, metavar="OUT", help="new folder")
    parser.add_argument("--to", choices=TOOLS, required=True, help="tool or form")
    parser.add_argument(
        "--exact",
        action="store_true",
        help="keep every pixel, in place of smooth outlines without specks",
    )
    parser.add_argument("--masks", action="store_true", help="a mask for each class in place of polygons")
    parser.set_defaults(command=_export)


def _add_import(ways: SubParsers) -> None:
    parser = ways.add_parser("import", help="labels of another tool to a data set that check and fit read")
    parser.add_argument("source", type=Path, metavar="SOURCE", help="file, folder or ZIP file of labels")
    parser.add_argument("out", type=Path, metavar="OUT", help="new folder for the data set")
    parser.add_argument(
        "--as",
        dest="kind",
        choices=("masks", "boxes"),
        help="what to write (default: boxes if all shapes are upright rectangles)",
    )
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="where the pictures are, if elsewhere")
    parser.add_argument(
        "--classes", type=Path, help="classes.json or model file, to have its classes in its order"
    )
    parser.add_argument("--colors", type=Path, help="table of colours, for label images in colours")
    parser.add_argument("--rest", metavar="CLASS", help="of pixels in no shape (default: they do not count)")
    parser.add_argument("--all", action="store_true", help="print every place, not the first of each kind")
    parser.set_defaults(command=_import)


def _export(options: argparse.Namespace) -> None:
    from training.check.problems import counted
    from training.datasets.labels import export_labels, exporting

    done = export_labels(
        options.data, options.out, to=options.to, exact=options.exact, as_bitmaps=options.masks
    )
    _show(done.unmapped, done.source, everything=False)
    parts = ((done.pictures, "picture"), (done.shapes, "shape"), (done.corners, "corner"))
    print(f"{done.folder}: {', '.join(counted(*part) for part in parts)}")
    if done.specks:
        print(f"{counted(done.specks, 'speck')} given to what is around them; --exact keeps them")
    print(f"go on: {exporting.FORMS[options.to].next}")


def _import(options: argparse.Namespace) -> None:
    from training.check.problems import counted
    from training.datasets.labels import import_labels

    done = import_labels(
        options.source,
        options.out,
        kind=options.kind,
        pictures=options.pictures,
        classes=options.classes,
        colors=options.colors,
        rest=options.rest,
    )
    _show(done.unmapped, done.source, everything=options.all)
    holds = counted(done.boxes, "box", "boxes") if done.kind == "boxes" else "masks"
    found = f"{counted(done.pictures, 'picture')} from {done.form}"
    print(f"{done.folder}: {found}, {holds} of {', '.join(done.labels)}")
    if done.uncounted >= 0.005:
        print(
            f"{done.uncounted:.0%} of the pixels are of no class and do not count; --rest gives them to one"
        )
    print(f"go on: python -m training check {shlex.quote(str(done.folder))}")


def _show(unmapped: Sequence[Unmapped], root: Path, *, everything: bool) -> None:
    """What was not taken over as it is, by reason, with file and place."""
    from training.datasets.labels import Reason

    order = list(Reason)
    of_kinds = sorted(unmapped, key=lambda one: order.index(one.reason))
    for reason, group in groupby(of_kinds, key=lambda one: one.reason):
        of_reason = list(group)
        print(f"{reason.title} ({len(of_reason)}): {reason.done}")
        shown = of_reason if everything else of_reason[:LISTED]
        for one in shown:
            path = str(one.path).replace(f"{root}/", "", 1)
            print("  " + ": ".join(filter(None, (path, one.place, one.message))))
        if len(of_reason) > len(shown):
            print(f"  and {len(of_reason) - len(shown)} more; --all lists them")
