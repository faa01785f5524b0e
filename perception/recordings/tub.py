"""Tubs: the recordings of donkeycar as shots, with what drove the car.

Records are read when a tub is opened, because they are small and only they say how many there are; pictures
are read one by one. A record that cannot be used is a shot with an error.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perception import pictures
from perception.errors import FrameError, InputError
from perception.recordings.shots import Controls, Shot, Source, attempt
from perception.recordings.tub_files import SECONDS, Tub, has_times, is_tub, number, read_tub

__all__ = ["has_times", "is_tub", "open_tub"]

_log = logging.getLogger(__name__)
_CAMERA = "cam/image_array"
_USUAL_HZ = 20.0  # of donkeycar's loop, where records have no time
_LOOKED_AT = 20  # records, to find out what a tub has
_NAMED = 3


def open_tub(path: Path, key: str | None, start_ns: int) -> Source:
    """A tub's pictures.

    Args:
        path: the folder.
        key: the field that names the pictures; may be None if there is one, or the usual one.
        start_ns: stamp of the first shot, if the records do not say when they were taken.

    Raises:
        InputError: nothing in it can be read, it is empty, or it has no such pictures, or several.
    """
    tub = read_tub(path)
    if not tub.records:
        why = f"all {tub.deleted} records are marked as deleted; restore some in donkeycar's tub manager"
        raise InputError(f"{path}: {why if tub.deleted else 'the tub is empty; it has not one record'}")
    if all(record.problem for record in tub.records):
        first = tub.records[0]
        raise InputError(f"{path / first.place}: {first.problem}; no other record can be read, either")
    image_key = _image_key(path, tub, key)
    stamps_ns, has_clock = _stamps(path, tub, start_ns)
    period_ms = _period_ms(np.array(stamps_ns) / 1e6)
    return Source(
        path.absolute().name,
        len(tub.records),
        1000.0 / period_ms,
        max(stamps_ns) + _ns(period_ms),
        lambda: _shots(tub, image_key, stamps_ns),
        has_clock=has_clock,
    )


def _shots(tub: Tub, key: str, stamps_ns: Sequence[int]) -> Iterator[Shot]:
    for record, stamp_ns in zip(tub.records, stamps_ns, strict=True):
        name = record.fields.get(key)
        if not isinstance(name, str) or not name:
            error = FrameError("data", f"{record.place}: {record.problem or f'the record has no {key}'}")
            yield Shot(stamp_ns, stamp_ns, "", record.place, None, error, None, 0.0)
            continue
        path = tub.images / Path(name).name  # older ones have the whole path of the car
        image, problem, read_ms = attempt(pictures.read, path)
        controls = _controls(record.fields)
        yield Shot(stamp_ns, stamp_ns, "", path.name, image, problem, None, read_ms, controls)


def _controls(fields: Mapping[str, Any]) -> Controls | None:
    """What steered the car: the user, the pilot, or the user's throttle with the pilot's steering."""
    mode = fields.get("user/mode", "user")
    steers = "user" if mode == "user" else "pilot"
    drives = "user" if mode in ("user", "local_angle") else "pilot"
    steering, throttle = (number(fields.get(key)) for key in (f"{steers}/angle", f"{drives}/throttle"))
    if steering is None and throttle is None:
        return None
    return Controls(steering, throttle, str(mode))


def _image_key(path: Path, tub: Tub, wanted: str | None) -> str:
    keys = list(tub.keys) or _picture_keys(record.fields for record in tub.records if record.fields)
    listed = ", ".join(keys) or "none"
    if wanted is not None and wanted not in keys:
        raise InputError(f"{path}: {wanted} names no pictures there; these fields do: {listed}")
    if not keys:
        raise InputError(f"{path}: no field of its records names pictures")
    if wanted is None and len(keys) > 1 and _CAMERA not in keys:
        raise InputError(f"{path}: several cameras; choose one with --topic: {listed}")
    return wanted or (_CAMERA if _CAMERA in keys else keys[0])


def _picture_keys(records: Iterator[Mapping[str, Any]]) -> list[str]:
    """The fields that look as if they named pictures."""
    found: dict[str, None] = {}
    for fields in islice(records, _LOOKED_AT):
        names = ((key, value) for key, value in fields.items() if isinstance(value, str))
        found |= {key: None for key, value in names if value.lower().endswith(pictures.SUFFIXES)}
    return list(found)


def _stamps(path: Path, tub: Tub, start_ns: int) -> tuple[list[int], bool]:
    """When each record was taken, ns, and whether a clock says so."""
    times_ms = [_time_ms(record.fields, tub) for record in tub.records]
    known = [time for time in times_ms if time is not None]
    if not known:
        _log.warning("%s: the records have no times, so they are stamped as %g a second", path, _USUAL_HZ)
        return [start_ns + _ns(index * 1000.0 / _USUAL_HZ) for index in range(len(times_ms))], False
    without = [
        record.place for record, time in zip(tub.records, times_ms) if time is None and not record.problem
    ]
    if without:
        _log.warning("%s: no time, so one that fits their neighbours': %s", path, _listed(without))
    base_ns = start_ns - _ns(known[0]) if tub.start_ms is None else 0
    places = np.array([index for index, time in enumerate(times_ms) if time is not None])
    return [base_ns + _ns(time) for time in _filled(places, np.array(known), len(times_ms))], True


def _filled(places: NDArray[np.int64], known_ms: NDArray[np.float64], count: int) -> list[float]:
    """Times for all of ``count`` records, where those at some places are known."""
    every = np.arange(count)
    outside = np.minimum(every - places[0], 0) + np.maximum(every - places[-1], 0)
    times_ms = np.interp(every, places, known_ms) + outside * _period_ms(known_ms)
    times_ms[places] = known_ms
    filled: list[float] = times_ms.tolist()
    return filled


def _time_ms(fields: Mapping[str, Any], tub: Tub) -> float | None:
    """A record's time, ms since the epoch or since it is unknown when; None if it has none that can be."""
    time = number(fields.get(tub.time_key))
    if time is None or int(time + (tub.start_ms or 0.0)) // 1000 not in SECONDS:
        return None
    return time + (tub.start_ms or 0.0)


def _ns(time_ms: float) -> int:
    return round(time_ms * 1000) * 1000  # ns of today are more than a float holds


def _period_ms(times_ms: NDArray[np.float64]) -> float:
    gaps = np.diff(times_ms)
    return float(np.median(gaps[gaps > 0])) if (gaps > 0).any() else 1000.0 / _USUAL_HZ


def _listed(names: Collection[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(islice(names, _NAMED)) + (f" and {more} more" if more > 0 else "")
