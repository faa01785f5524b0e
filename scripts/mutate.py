"""Change the code a little, at random, and see whether the tests notice.

    python -m scripts.mutate [MODULE …] [--seed N] [--count N] [--seconds N]

Each change (a comparison turned, a constant plus or minus one, an ``if`` negated) is made by cosmic-ray in a
copy of the checkout, and the module's own tests run there: those at its place in ``tests/``, and those that
``ALSO`` names. A change that they do not notice is a gap in the tests, or makes no difference to anybody.
"""

from __future__ import annotations

import argparse
import ast
import atexit
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cosmic_ray.commands import init
from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.testing import run_tests
from cosmic_ray.work_db import use_db
from cosmic_ray.work_item import MutationSpec, TestOutcome, WorkerOutcome
from rich.console import Console
from rich.table import Table

MODULES = (
    "perception/boxes.py",
    "perception/comparison.py",
    "perception/detection.py",
    "perception/differences.py",
    "perception/encodings.py",
    "perception/engines/__init__.py",
    "perception/engines/metadata.py",
    "perception/expectations/schema.py",
    "perception/frames.py",
    "perception/latency.py",
    "perception/pictures.py",
    "perception/reader.py",
    "perception/recordings/bag.py",
    "perception/recordings/bag_source.py",
    "perception/recordings/sources.py",
    "perception/recordings/tape.py",
    "perception/recordings/tub.py",
    "perception/recordings/tub_files.py",
    "perception/recordings/videos.py",
    "perception/report/summary.py",
    "perception/samples.py",
    "perception/segmentation.py",
    "perception/signs.py",
    "perception/spec.py",
    "perception/steadiness.py",
    "perception/tasks.py",
    "perception/topics.py",
    "training/calibrate.py",
    "training/metrics.py",
    "training/segmentation/phases.py",
    "training/split.py",
)
# Tests of a module that are in the file of another.
ALSO = {
    "perception/boxes.py": ("tests/test_signs.py",),
    "perception/engines/__init__.py": ("tests/engines/test_backends.py",),
    "perception/encodings.py": ("tests/test_frames.py",),
    "perception/frames.py": ("tests/test_encodings.py",),
    "perception/pictures.py": ("tests/training/datasets/test_pictures.py",),
    "perception/recordings/bag.py": (
        "tests/recordings/test_bag_cut.py",
        "tests/recordings/test_bag_files.py",
        "tests/recordings/test_bag_formats.py",
        "tests/recordings/test_sources.py",
    ),
    "perception/recordings/bag_source.py": ("tests/recordings/test_sources.py", "tests/commands/test_run.py"),
    "perception/recordings/sources.py": ("tests/recordings/test_bag.py", "tests/commands/test_run.py"),
    "perception/recordings/tub_files.py": ("tests/recordings/test_tub.py",),
    "perception/segmentation.py": ("tests/test_draw.py",),
    "perception/signs.py": ("tests/test_draw.py",),
    "perception/tasks.py": ("tests/test_spec.py", "tests/test_toy_task.py", "tests/engines/test_engines.py"),
    "perception/topics.py": ("tests/recordings/test_results.py",),
    "training/split.py": ("tests/training/signs/test_data.py",),
}
PROCESSES = 2  # as in "make test"
# Changes that can make a difference; cosmic-ray has many more, most of which any run notices.
CHANGES = re.compile(
    r"core/(NumberReplacer|AddNot|ReplaceUnaryOperator_Delete_Not|ReplaceAndWithOr|ReplaceOrWithAnd"
    r"|ReplaceTrueWithFalse|ReplaceFalseWithTrue|ReplaceBreakWithContinue|ReplaceContinueWithBreak"
    r"|ReplaceBinaryOperator_(Add_Sub|Sub_Add|Mul_Div|Div_Mul|FloorDiv_Mul|Mod_FloorDiv"
    r"|LShift_RShift|RShift_LShift|BitAnd_BitOr|BitOr_BitAnd)"
    r"|ReplaceComparisonOperator_(Eq_NotEq|NotEq_Eq|Lt_LtE|Lt_GtE|LtE_Lt|LtE_Gt|Gt_GtE|Gt_LtE|GtE_Gt|GtE_Lt"
    r"|Is_IsNot|IsNot_Is))"
)


@dataclass(frozen=True)
class Verdict:
    """What the tests said of one change.

    Attributes:
        change: where and what.
        noticed: a test failed, or ran longer than it may.
        lines: of the difference, those with - and +.
    """

    change: MutationSpec
    noticed: bool
    lines: tuple[str, ...]


def tests_of(module: str) -> list[str]:
    """The files with a module's own tests."""
    path = Path(module)
    folder = Path("tests", *(part for part in path.parent.parts if part != "perception"))
    own = folder / f"test_{path.parent.name if path.stem == '__init__' else path.stem}.py"
    return [str(name) for name in (own, *ALSO.get(module, ())) if Path(name).exists()]


def changes(module: str) -> list[list[MutationSpec]]:
    """All changes of a module, by place."""
    text = Path(module).read_text(encoding="utf-8")
    lines, passed_over = text.splitlines(), list(_passed_over(ast.parse(text)))
    places: dict[tuple[int, int], list[MutationSpec]] = {}
    with tempfile.TemporaryDirectory() as folder, use_db(f"{folder}/session.sqlite") as session:
        init([Path(module)], session, {})
        for item in session.work_items:
            (change,) = item.mutations
            line, column = at = (change.start_pos[0], change.start_pos[1])
            # cosmic-ray takes the star of keyword-only arguments for a product; no space follows that one
            is_star = re.match(r"\*(?! )", lines[line - 1][column:])
            is_passed_over = is_star or any(start <= at < end for start, end in passed_over)
            if CHANGES.fullmatch(change.operator_name) and not is_passed_over:
                places.setdefault(at, []).append(change)
    return [
        sorted(places[at], key=lambda change: (change.operator_name, change.occurrence))
        for at in sorted(places)
    ]


def _passed_over(tree: ast.AST) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Where changes do nothing: annotations; decorators; and zip's strict, which guards what cannot be."""
    for node in ast.walk(tree):
        parts = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        parts += getattr(node, "decorator_list", [])
        if isinstance(node, ast.keyword) and node.arg == "strict":
            parts.append(node.value)
        for part in filter(None, parts):
            yield (part.lineno, part.col_offset), (part.end_lineno, part.end_col_offset)


def draw(modules: Sequence[str], *, seed: int, count: int) -> list[MutationSpec]:
    """Changes at random places, one at a place; count limits them over all modules, 0 does not."""
    generator = random.Random(seed)
    places = [place for module in modules for place in changes(module)]
    generator.shuffle(places)
    return [generator.choice(place) for place in places[: count or None]]


def command(module: str) -> str:
    """What runs a module's tests; -n 0, because a pool of processes starts for longer than they take."""
    return f"{sys.executable} -m pytest -x -q -n 0 -p no:cacheprovider {' '.join(tests_of(module))}"


def judge(change: MutationSpec, *, seconds: float) -> Verdict:
    """Make a change in this process' copy, and run the module's tests."""
    result = mutate_and_test([change], command(str(change.module_path)), seconds)
    if result.worker_outcome != WorkerOutcome.NORMAL:
        raise RuntimeError(f"{change.module_path}: {result.output}")
    lines = [line for line in result.diff.splitlines() if re.match(r"-(?!--)|\+(?!\+\+)", line)]
    return Verdict(change, result.test_outcome != TestOutcome.SURVIVED, tuple(lines))


def passes(module: str, *, seconds: float) -> tuple[str, str]:
    """The module, and what its tests say before anything is changed; empty if they pass in time."""
    outcome, output = run_tests(command(module), seconds)
    return module, "" if outcome == TestOutcome.SURVIVED else output


def enter_copy(names: Sequence[str]) -> None:
    """Go to a copy of the checkout, which is this process' own."""
    copy = tempfile.TemporaryDirectory(prefix="mutate-")
    atexit.register(copy.cleanup)
    for name in names:
        target = Path(copy.name, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(name, target)
    os.chdir(copy.name)


def checkout() -> list[str]:
    """The files that git does not ignore, whether they are committed or not."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split("\0")
    return [name for name in names if Path(name).is_file()]


def show(verdicts: Sequence[Verdict]) -> None:
    """Print the changes that no test noticed, and how many there were by module."""
    console = Console(soft_wrap=True, highlight=False)
    for verdict in verdicts:
        if not verdict.noticed:
            console.print(f"\n{verdict.change.module_path}:{verdict.change.start_pos[0]}", markup=False)
            console.print("\n".join(verdict.lines), markup=False)
    tried = Counter(str(verdict.change.module_path) for verdict in verdicts)
    noticed = Counter(str(verdict.change.module_path) for verdict in verdicts if verdict.noticed)
    table = Table("module", "tried", "noticed", "%")
    for module in sorted(tried):
        table.add_row(module, *_figures(noticed[module], tried[module]))
    table.add_section()
    table.add_row("all", *_figures(noticed.total(), tried.total()))
    console.print(table)


def _figures(noticed: int, tried: int) -> tuple[str, str, str]:
    return str(tried), str(noticed), f"{100 * noticed / tried:.0f}"


def main() -> int:
    """Try the changes, and print what was not noticed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("modules", nargs="*", default=MODULES, help="files; by default the ones in MODULES")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--count", type=int, default=60, help="changes in all; 0 changes every place once")
    parser.add_argument("--seconds", type=float, default=120.0, help="longest run of a module's tests")
    arguments = parser.parse_args()
    for module in arguments.modules:
        if not Path(module).is_file() or not tests_of(module):
            parser.error(f"{module}: no such file, or no tests of its own; see tests_of in scripts/mutate.py")
    chosen = draw(arguments.modules, seed=arguments.seed, count=arguments.count)
    changed = sorted({str(change.module_path) for change in chosen})
    with ProcessPoolExecutor(PROCESSES, initializer=enter_copy, initargs=(checkout(),)) as pool:
        for module, output in pool.map(partial(passes, seconds=arguments.seconds), changed):
            if output:
                print(f"{output}\n{module}: its tests fail or are too slow before anything is changed")
                return 1
        print(f"{len(chosen)} changes with seed {arguments.seed}", flush=True)
        verdicts = []
        for verdict in pool.map(partial(judge, seconds=arguments.seconds), chosen):
            print("." if verdict.noticed else "S", end="", flush=True)
            verdicts.append(verdict)
    print()
    show(verdicts)
    return 0


if __name__ == "__main__":
    sys.exit(main())
