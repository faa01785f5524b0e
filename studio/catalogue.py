"""The catalogue: which pictures a data set has, listed once, so that a page of any of them comes at once."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from studio.database import Database
from training.gallery import Shown

WAITING, LISTING, READY, FAILED = "waiting", "listing", "ready", "failed"
BATCH = 2000  # pictures that are written together


@dataclass(frozen=True)
class DataSet:
    """One data set.

    Attributes:
        id: in addresses.
        path: of its folder.
        task: key in the table of tasks; empty until it has been looked at.
        summary: what it was taken for, in words.
        labels: class names; the index is the class id.
        common: what drawing its truth needs.
        state: one of the states above.
        total: pictures.
        done: pictures that are listed.
        error: why it cannot be listed.
        said: when what ``check`` and ``audit`` said was last written down, seconds since 1970.
    """

    id: str
    path: Path
    task: str
    summary: str
    labels: tuple[str, ...]
    common: Mapping[str, Any]
    state: str
    total: int
    done: int
    error: str
    said: float


@dataclass(frozen=True)
class Entry:
    """One picture of a data set.

    Attributes:
        number: in the data set.
        path: of the picture.
        part: ``"train"`` or ``"val"``.
        class_ids: of the classes that are in it.
        truth: for drawing.
        suspicion: what ``check`` or ``audit`` said of it; empty if nothing.
    """

    number: int
    path: Path
    part: str
    class_ids: tuple[int, ...]
    truth: Mapping[str, Any]
    suspicion: str


@dataclass(frozen=True)
class Filter:
    """Which pictures are shown.

    Attributes:
        class_id: only those with this class; None: any.
        part: only of this part; empty: both.
        is_suspicious: only those of which something was said.
    """

    class_id: int | None = None
    part: str = ""
    is_suspicious: bool = False


class Catalogue:
    """Lists of pictures.

    Args:
        database: where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def sets(self) -> list[DataSet]:
        """All data sets, by their path."""
        with self._database.open() as connection:
            return [_data_set(row) for row in connection.execute("SELECT * FROM sets ORDER BY path")]

    def get(self, set_id: str) -> DataSet | None:
        """The data set of an id."""
        with self._database.open() as connection:
            row = connection.execute("SELECT * FROM sets WHERE id = ?", (set_id,)).fetchone()
        return _data_set(row) if row else None

    def add(self, path: Path) -> str:
        """Take a folder in, to be listed anew if it is there already. Returns its id."""
        set_id = hashlib.sha256(str(path).encode("utf-8", "surrogateescape")).hexdigest()[:12]
        with self._database.open() as connection:
            connection.execute(
                "INSERT INTO sets (id, path, state) VALUES (?, ?, ?) "
                "ON CONFLICT DO UPDATE SET state = ?, error = '', said = 0",
                (set_id, str(path), WAITING, WAITING),
            )
        return set_id

    def forget(self, set_id: str) -> None:
        """Forget a data set; its files stay as they are."""
        with self._database.open() as connection:
            for table, column in (("sets", "id"), ("pictures", "set_id"), ("classes", "set_id")):
                connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (set_id,))

    def change(self, set_id: str, **values: str | float) -> None:
        """Write down what became known of a data set."""
        names = ", ".join(f"{name} = ?" for name in values)
        with self._database.open() as connection:
            connection.execute(f"UPDATE sets SET {names} WHERE id = ?", (*values.values(), set_id))

    def fill(self, set_id: str, pictures: Iterable[Shown]) -> None:
        """List the pictures of a data set, in place of what was listed before.

        Raises:
            DataError: as ``pictures`` raises it.
        """
        with self._database.open() as connection:
            for table in ("pictures", "classes"):
                connection.execute(f"DELETE FROM {table} WHERE set_id = ?", (set_id,))
        numbered = enumerate(pictures)
        while batch := list(islice(numbered, BATCH)):
            with self._database.open() as connection:
                connection.executemany(
                    "INSERT INTO pictures (set_id, number, path, part, class_ids, truth) "
                    "VALUES (?, ?, ?, ?, ?, ?)",
                    (
                        (
                            *(set_id, number, str(one.path), one.part),
                            *(json.dumps(one.class_ids), json.dumps(one.truth)),
                        )
                        for number, one in batch
                    ),
                )
                connection.executemany(
                    "INSERT INTO classes VALUES (?, ?, ?, ?)",
                    (
                        (set_id, class_id, number, one.part)
                        for number, one in batch
                        for class_id in one.class_ids
                    ),
                )
                connection.execute("UPDATE sets SET done = ? WHERE id = ?", (batch[-1][0] + 1, set_id))

    def suspect(self, set_id: str, said: Iterable[tuple[str, str]]) -> None:
        """Write down what was said of pictures, in place of what was said before.

        Args:
            set_id: of the data set.
            said: path of a picture, and what was said.
        """
        with self._database.open() as connection:
            connection.execute(
                "UPDATE pictures SET suspicion = '' WHERE set_id = ? AND suspicion <> ''", (set_id,)
            )
            connection.executemany(
                "UPDATE pictures SET suspicion = ? WHERE set_id = ? AND path = ?",
                ((text, set_id, path) for path, text in said),
            )

    def counts(self, set_id: str) -> list[tuple[int, int, int]]:
        """(class id, pictures to learn from, pictures to validate on) of each class that occurs."""
        with self._database.open() as connection:
            rows = connection.execute(
                "SELECT class_id, SUM(part = 'train'), SUM(part = 'val') FROM classes WHERE set_id = ? "
                "GROUP BY class_id ORDER BY class_id",
                (set_id,),
            )
            return [(row[0], row[1], row[2]) for row in rows]

    def suspicious(self, set_id: str) -> int:
        """How many pictures something was said of."""
        with self._database.open() as connection:
            query = "SELECT COUNT(*) FROM pictures WHERE set_id = ? AND suspicion <> ''"
            return int(connection.execute(query, (set_id,)).fetchone()[0])

    def page(self, set_id: str, wanted: Filter, *, start: int, count: int) -> list[Entry]:
        """The first pictures that pass the filter, from a number on.

        Args:
            set_id: of the data set.
            wanted: the filter.
            start: number of the first that may come.
            count: how many at most.
        """
        conditions = ["pictures.set_id = ?", "pictures.number >= ?"]
        values: list[str | int] = [set_id, start]
        table = "pictures"
        if wanted.class_id is not None:
            table = "classes JOIN pictures USING (set_id, number)"
            conditions.append("class_id = ?")
            values.append(wanted.class_id)
        if wanted.part:
            conditions.append("pictures.part = ?")
            values.append(wanted.part)
        if wanted.is_suspicious:
            conditions.append("suspicion <> ''")
        where = " AND ".join(conditions)
        query = f"SELECT pictures.* FROM {table} WHERE {where} ORDER BY pictures.number LIMIT ?"
        with self._database.open() as connection:
            return [_entry(row) for row in connection.execute(query, (*values, count))]

    def some(self, set_id: str, part: str, count: int) -> list[Path]:
        """At most so many pictures of a part, from all of it."""
        with self._database.open() as connection:
            query = "SELECT path FROM pictures WHERE set_id = ? AND part = ? ORDER BY number"
            paths = [Path(row[0]) for row in connection.execute(query, (set_id, part))]
        return paths[:: -(-len(paths) // count) or 1]

    def entry(self, set_id: str, number: int) -> Entry | None:
        """One picture."""
        found = self.page(set_id, Filter(), start=number, count=1)
        return found[0] if found and found[0].number == number else None


def _data_set(row: sqlite3.Row) -> DataSet:
    values = dict(row)
    labels: Sequence[str] = json.loads(values["labels"])
    return DataSet(
        **{
            **values,
            "path": Path(values["path"]),
            "labels": tuple(labels),
            "common": json.loads(values["common"]),
        }
    )


def _entry(row: sqlite3.Row) -> Entry:
    return Entry(
        row["number"],
        Path(row["path"]),
        row["part"],
        tuple(json.loads(row["class_ids"])),
        json.loads(row["truth"]),
        row["suspicion"],
    )
