"""Files that others made cannot run code: nothing is unpickled, evaluated or given to a shell."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(path for folder in ("perception", "training") for path in (ROOT / folder).rglob("*.py"))
RUN_WHAT_THEY_READ = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}
HARMLESS = {"pickle.UnpicklingError"}  # what reading a checkpoint may raise
RUN_TEXT = {"eval", "exec", "__import__", "os.system", "os.popen"}


def doors(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and text of all that could run what a file contains."""
    for node in ast.walk(tree):
        if _is_door(node):
            yield node.lineno, ast.unparse(node)


def _is_door(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.module in RUN_WHAT_THEY_READ
    if isinstance(node, ast.alias):  # under another name, its uses would not be seen
        return node.name in RUN_WHAT_THEY_READ and node.asname is not None
    if isinstance(node, ast.Attribute):
        name = ast.unparse(node)
        return name.partition(".")[0] in RUN_WHAT_THEY_READ and name not in HARMLESS
    return isinstance(node, ast.Call) and not _is_safe(node)


def _is_safe(call: ast.Call) -> bool:
    name = ast.unparse(call.func)
    options = {one.arg: getattr(one.value, "value", None) for one in call.keywords}
    if name == "torch.load":
        return options.get("weights_only") is True
    if name in ("np.load", "numpy.load"):
        return "allow_pickle" not in options
    if name == "YAML":
        return options.get("typ", "safe") in ("safe", "rt")
    return name not in RUN_TEXT and "shell" not in options


@pytest.mark.parametrize(
    "line",
    [
        "import pickle\npickle.load(file)",
        "import pickle as p",
        "from joblib import load",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "YAML(typ='unsafe')",
        "eval(text)",
        "subprocess.run(text, shell=True)",
    ],
)
def test_what_would_run_code_is_seen(line: str) -> None:
    assert list(doors(ast.parse(line)))


def test_nothing_in_the_package_runs_what_a_file_contains() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in SOURCES
        for line, text in doors(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert len(SOURCES) > 100 and found == []


class _Evil:
    """What runs code when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self._mark,)


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from training.checkpoint import read_checkpoint
    from training.datasets.images import DataError

    mark, checkpoint = tmp_path / "it-ran", tmp_path / "last.ckpt"
    torch.save({"task": _Evil(mark)}, checkpoint)
    with pytest.raises(DataError, match=r"last\.ckpt is no checkpoint"):
        read_checkpoint(checkpoint)
    assert not mark.exists()
    torch.load(checkpoint, weights_only=False)
    assert mark.exists()  # so it would have been seen
