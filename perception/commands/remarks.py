"""Remarks: the warnings that come up while a command works, for its report as well."""

from __future__ import annotations

import logging
from types import TracebackType


class Remarks(logging.Handler):
    """Collects the warnings of this package's loggers, each once; use it with ``with``.

    Attributes:
        texts: the warnings so far.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Take in a warning."""
        text = record.getMessage()
        if text not in self.texts:
            self.texts.append(text)

    def __enter__(self) -> Remarks:
        logging.getLogger("perception").addHandler(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        logging.getLogger("perception").removeHandler(self)
