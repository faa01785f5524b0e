"""Notebooks of the course, run as JupyterLab runs them, with short settings."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

import nbformat
import pytest
from nbclient import NotebookClient

from course.length import SHORT

COURSE = Path(__file__).parents[2] / "course"
EXERCISE = "exercise"  # the tag of a cell that a reader fills in
CELL_S = 120  # on a machine with other work
# Where Jupyter would leave files in the home folder.
HOMES = ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR")


def run(name: str, solutions: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Run a notebook as it is stored, and at its end once more all exercises with their solutions.

    Args:
        name: of the notebook's file.
        solutions: what is put in place of the exercises.

    Returns:
        What the checks print, those of the empty exercises first.

    Raises:
        CellExecutionError: a cell failed.
    """
    monkeypatch.setenv(SHORT, "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    notebook = nbformat.read(COURSE / name, as_version=4)
    codes = [cell for cell in notebook.cells if cell.cell_type == "code"]
    checks = [cell.source for cell in codes if is_check(cell)]
    for cell in codes:
        if EXERCISE in cell.metadata.get("tags", ()):
            notebook.cells.append(nbformat.v4.new_code_cell(solved(cell.source, solutions)))
    notebook.cells += [nbformat.v4.new_code_cell(source) for source in checks]
    client = NotebookClient(
        notebook, timeout=CELL_S, kernel_name="python3", resources={"metadata": {"path": str(COURSE)}}
    )
    with TemporaryDirectory() as place:
        for variable in HOMES:
            monkeypatch.setenv(variable, f"{place}/{variable}")
        monkeypatch.setenv("MPLCONFIGDIR", str(COURSE.parent / "build" / "matplotlib"))  # a list of fonts
        client.execute()
    ran = [cell for cell in notebook.cells if cell.cell_type == "code" and is_check(cell)]
    return [printed(cell) for cell in ran]


def is_check(cell: nbformat.NotebookNode) -> bool:
    """Whether a cell asks whether an exercise is solved."""
    return bool(cell.source.startswith("check("))


def printed(cell: nbformat.NotebookNode) -> str:
    """What a cell prints."""
    return "".join(output.text for output in cell.outputs if output.output_type == "stream").strip()


def solved(source: str, solutions: ModuleType) -> str:
    """The solution to an exercise: what has the same name."""
    return "\n\n".join(inspect.getsource(getattr(solutions, name)) for name in defined(source))


def defined(source: str) -> list[str]:
    """Names of the functions and classes that a cell defines."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    return [statement.name for statement in ast.parse(source).body if isinstance(statement, kinds)]
