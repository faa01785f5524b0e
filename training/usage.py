"""What is wrong with the options of ``fit``, in one line instead of jsonargparse's hundred."""

from __future__ import annotations

import re
from typing import NoReturn

from lightning.pytorch.cli import LightningArgumentParser

PROGRAM = "python -m training fit"
# What a value was tried as, and what it was, beside the line that says why it does not fit.
_BESIDE = ("Does not validate", "Subtypes:", "Errors:", "Given value", "Expected a <class 'NoneType'>")


class Parser(LightningArgumentParser):
    """Lightning's parser, which says what is wrong without a list of all options before it."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Say it and leave with 2; the parser of a class, whose words another one passes on, raises it."""
        if not self.exit_on_error:
            super().error(message, ex)
        self.exit(2, f"{PROGRAM}: {in_brief(message)}\n")


def in_brief(message: str) -> str:
    """The part of a message of jsonargparse that says what is wrong, and what to do."""
    lines = (line.strip().removeprefix("- ") for line in message.splitlines())
    text = " ".join(line for line in lines if line and not line.startswith(_BESIDE))
    part = re.search(r"Parser key \"(model|data)\": Problem with given class_path '([\w.]+)': ", text)
    if "lightning.Lightning" in text or "are required: fit." in text:
        return "nothing says what to train; begin with a config, such as --config training/configs/signs.yaml"
    todo, prefix = f"{PROGRAM} --help lists all options", "--"
    if part:
        todo, prefix = f"{PROGRAM} --{part[1]}.help {part[2]} lists all of these options", f"--{part[1]}."
        text = text[part.end() :]
    text = re.sub(r"a <class '([\w.]+)'>", r"\1", text)
    text = re.sub(r"Parser key \"([^\"]+)\":", rf"{prefix}\1:", text)
    text = re.sub(r"^Option '([^']+)' is not accepted", rf"there is no option {prefix}\1", text)
    return f"{text}; {todo}"
