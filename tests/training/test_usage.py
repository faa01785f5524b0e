"""A mistake in the options of fit is one line that says what, where and what to do."""

from __future__ import annotations

import pytest

from training import fit

SIGNS = "--config=training/configs/signs.yaml"


@pytest.mark.parametrize(
    ("options", "clues"),
    [
        ([], ["begin with a config, such as --config training/configs/signs.yaml"]),
        (["--data.root=x"], ["begin with a config"]),
        (["--config=nope.yaml"], ["--config: File does not exist", "nope.yaml"]),
        (
            [SIGNS, "--data.rot=x"],
            ["there is no option --data.rot;", "--data.help training.signs.data.SignData"],
        ),
        (
            [SIGNS, "--model.lr=x"],
            ["--model.lr: Expected float. Got value: x", "--model.help training.signs.task.SignTask"],
        ),
        ([SIGNS, "--trainer.max_epochs=x"], ["--trainer.max_epochs: Expected int", "fit --help"]),
        ([SIGNS, "--foo"], ["--foo", "fit --help"]),
    ],
)
def test_a_mistake_is_one_line(
    options: list[str], clues: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        fit.train(options)
    said = capsys.readouterr().err.strip()
    assert left.value.code == 2 and said.startswith("python -m training fit: ") and "\n" not in said, said
    assert all(clue in said for clue in clues), said
