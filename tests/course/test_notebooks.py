"""The notebooks run from top to bottom, and hold nothing but text, code and the pictures of the text."""

import ast
import base64
import importlib
import inspect

import cv2
import nbformat
import numpy as np
import pytest

from tests.course.notebooks import COURSE, EXERCISE, defined, run

SOLUTIONS = {
    "1_sign_classifier.ipynb": "sign_classifier",
    "2_segnet.ipynb": "segnet",
    "3_ros.ipynb": "ros",
    "4_to_the_car.ipynb": "car",
}
ALL = sorted(path.name for path in COURSE.glob("*.ipynb"))
LARGEST = 400_000  # bytes of a notebook's file


@pytest.mark.parametrize("name", SOLUTIONS)
def test_a_notebook_runs_with_its_exercises_empty_and_then_solved(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = run(name, importlib.import_module(f"course.solutions.{SOLUTIONS[name]}"), monkeypatch)
    half = len(said) // 2
    numbers = [line.split()[0] for line in said[half:]]
    assert numbers == [f"{name[0]}.{k}" for k in range(1, 4)]
    assert all("is not right yet: there is nothing yet" in line for line in said[:half])
    assert said[half:] == [f"{number} is right." for number in numbers]


@pytest.mark.parametrize("name", SOLUTIONS)
def test_nothing_behind_an_exercise_needs_its_answer(name: str) -> None:
    cells = [cell for cell in read(name).cells if cell.cell_type == "code"]
    names = {one for cell in cells if is_exercise(cell) for one in defined(cell.source)}
    others = [cell.source for cell in cells if not is_exercise(cell) and not cell.source.startswith("check(")]
    assert len(names) == 3
    used = {
        node.id for source in others for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)
    }
    assert "length" in used and not names & used


@pytest.mark.parametrize("name", SOLUTIONS)
def test_a_solution_has_the_exercise_s_arguments_and_is_not_in_the_notebook(name: str) -> None:
    solutions = importlib.import_module(f"course.solutions.{SOLUTIONS[name]}")
    for cell in filter(is_exercise, read(name).cells):
        (function,) = defined(cell.source)
        signature = inspect.getsource(getattr(solutions, function)).split('"""')[:2]
        assert cell.source.split('"""')[:2] == signature
        assert cell.source.endswith('"""\n    return ...')


@pytest.mark.parametrize("name", ALL)
def test_a_notebook_holds_no_output_but_pictures(name: str) -> None:
    notebook = read(name)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert (COURSE / name).stat().st_size < LARGEST
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        assert cell.execution_count is None
        assert not cell.outputs or "picture" in cell.metadata.tags
        for output in cell.outputs:
            assert output.output_type == "display_data"
            ((kind, content),) = output.data.items()
            assert kind in ("image/png", "image/jpeg")
            picture = np.frombuffer(base64.b64decode(content), np.uint8)
            assert cv2.imdecode(picture, cv2.IMREAD_COLOR).std() > 1  # something is drawn


@pytest.mark.parametrize("name", SOLUTIONS)
def test_the_pictures_of_the_text_are_stored(name: str) -> None:
    tagged = [cell for cell in read(name).cells if "picture" in cell.metadata.get("tags", ())]
    assert len(tagged) >= 5 and all(cell.outputs for cell in tagged)


def read(name: str) -> nbformat.NotebookNode:
    return nbformat.read(COURSE / name, as_version=4)


def is_exercise(cell: nbformat.NotebookNode) -> bool:
    return EXERCISE in cell.metadata.get("tags", ())
