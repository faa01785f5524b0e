"""The studio's own SQLite file: which lists of pictures and which jobs there are, kept over restarts."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAME = "studio.sqlite"

SCHEMA = """
CREATE TABLE IF NOT EXISTS sets (
    id TEXT PRIMARY KEY, path TEXT NOT NULL UNIQUE, task TEXT NOT NULL DEFAULT '',
    summary TEXT NOT NULL DEFAULT '', labels TEXT NOT NULL DEFAULT '[]',
    common TEXT NOT NULL DEFAULT '{}', state TEXT NOT NULL,
    total INTEGER NOT NULL DEFAULT 0, done INTEGER NOT NULL DEFAULT 0, error TEXT NOT NULL DEFAULT '',
    said REAL NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS pictures (
    set_id TEXT NOT NULL, number INTEGER NOT NULL, path TEXT NOT NULL, part TEXT NOT NULL,
    class_ids TEXT NOT NULL, truth TEXT NOT NULL, suspicion TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (set_id, number)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS pictures_by_part ON pictures (set_id, part, number);
CREATE INDEX IF NOT EXISTS pictures_by_path ON pictures (set_id, path);
CREATE INDEX IF NOT EXISTS suspicious ON pictures (set_id, number) WHERE suspicion <> '';
CREATE TABLE IF NOT EXISTS classes (
    set_id TEXT NOT NULL, class_id INTEGER NOT NULL, number INTEGER NOT NULL, part TEXT NOT NULL,
    PRIMARY KEY (set_id, class_id, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL, kind TEXT NOT NULL, argv TEXT NOT NULL,
    place TEXT NOT NULL, device TEXT NOT NULL, state TEXT NOT NULL, wish TEXT NOT NULL DEFAULT '',
    about TEXT NOT NULL DEFAULT '', pid INTEGER NOT NULL DEFAULT 0, born INTEGER NOT NULL DEFAULT 0,
    created REAL NOT NULL, started REAL NOT NULL DEFAULT 0, ended REAL NOT NULL DEFAULT 0, code INTEGER);
CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state, id);
"""


class Database:
    """Opens a connection for each use, because rooms, the index and the runner share the file.

    Args:
        folder: the studio's own.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder = folder
        with self.open() as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(SCHEMA)

    @contextmanager
    def open(self) -> Iterator[sqlite3.Connection]:
        """A connection; what was changed is kept if nothing is raised."""
        connection = sqlite3.connect(self.folder / NAME, timeout=30)
        connection.row_factory = sqlite3.Row
        try:
            with connection:
                yield connection
        finally:
            connection.close()
