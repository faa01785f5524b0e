"""What is stored of a notebook's run."""

import base64

import cv2
import nbformat
import numpy as np
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from scripts.course import PICTURE, strip

FLAT = np.full((60, 80, 3), 200, np.uint8)
NOISE = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)


def output(picture: np.ndarray) -> nbformat.NotebookNode:
    png = base64.b64encode(cv2.imencode(".png", picture)[1].tobytes()).decode()
    return new_output("display_data", {"image/png": png, "text/plain": "<Figure>"})


def test_pictures_of_tagged_cells_alone_are_stored_and_photographs_as_jpeg() -> None:
    text = new_output("stream", name="stdout", text="0.5 %")
    tagged = new_code_cell("show(…)", outputs=[text, output(FLAT), output(NOISE)], execution_count=3)
    tagged.metadata.update(tags=[PICTURE], execution={"iopub.status.busy": "2026-11-29"})
    other = new_code_cell("x", outputs=[text, output(FLAT)], execution_count=4)
    notebook = new_notebook(cells=[new_markdown_cell("# Text"), tagged, other])
    strip(notebook)
    nbformat.validate(notebook)
    assert [list(one.data) for one in tagged.outputs] == [["image/png"], ["image/jpeg"]]
    assert tagged.metadata == {"tags": [PICTURE]} and tagged.execution_count is None
    assert other.outputs == [] and other.execution_count is None
    assert notebook.cells[0].source == "# Text"
    shown = base64.b64decode(tagged.outputs[1].data["image/jpeg"])
    assert cv2.imdecode(np.frombuffer(shown, np.uint8), cv2.IMREAD_COLOR).shape == NOISE.shape
