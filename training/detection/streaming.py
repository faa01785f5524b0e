"""Streaming measures: what following signs is worth, on drives made out of single street pictures.

``replay`` reads the frames once. ``score`` follows what was read, so constants can be compared in seconds.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import NamedTuple

import numpy as np

from perception.boxes import Box, overlaps
from perception.followed import CONSTANTS, Constants
from perception.frames import Frame
from perception.signs import Signs
from perception.spec import ModelSpec
from perception.tracking import SignTracker, Tracks
from training.datasets.images import BoxImage, DataError
from training.datasets.pictures import read_bgr
from training.detection.sequences import Shot, TrueSign, sequence, size_px

DRIVES = 25  # about 1700 frames
MIN_TARGET = 24  # px in the picture: smaller signs enlarged to 80 px would be nothing but blur
COUNTS_FROM = 10.0  # px: smaller signs are neither missed nor false
MIN_VISIBLE = 0.6  # share of a sign that must be seen, else it is not counted
HIDDEN_NS = 300_000_000  # a sign counts as hidden for so long afterwards, too
MIN_IOU = 0.4  # of a box and a true one; a pixel more in each direction is a third of the smallest signs
TOUCHES = 0.1  # IoU from which a box is on a sign at all
MIN_FRAMES = 5  # a sign that is in fewer cannot be followed
BLURRED = 0.15  # length of the motion blur, in shares of the sign's size
DARK, BRIGHT = 0.6, 1.5  # gains at which the exposure is wrong
NEAR = 80.0  # px, the end of an approach
CONDITIONS = {
    "all": "all",
    "clear": "none of these",
    "blurred": "blurred by at least 15 % of the sign",
    "exposure": "too dark or too bright",
    "hidden": "partly hidden or cut, or shortly after",
    "near": "80 px or larger",
}

Read = Callable[[Frame], Signs]


class Drive(NamedTuple):
    """A street picture, the sign in it to drive to, and the seed of all the rest."""

    image: BoxImage
    target: int
    seed: int


@dataclass(frozen=True)
class Seen:
    """One frame of a drive after reading: what was read, and what is really there."""

    stamp_ns: int
    size_hw: tuple[int, int]
    signs: Signs
    truth: tuple[TrueSign, ...]
    blur_px: float
    gain: float


@dataclass(frozen=True)
class Share:
    """Pairs of a frame and a true sign in it: in how many is its class said.

    Attributes:
        pairs: how many.
        single: share that the frame alone gets right.
        tracked: share that the tracks get right.
        wrong_single: share in which the frame alone says another class.
        wrong_tracked: share in which the track says another class.
    """

    pairs: int
    single: float
    tracked: float
    wrong_single: float
    wrong_tracked: float


@dataclass(frozen=True)
class Streaming:
    """What was measured. Of signs, those count that are in view for at least MIN_FRAMES.

    Attributes:
        drives: sequences.
        frames: in all of them.
        seconds: that they last together.
        signs: true signs.
        shares: by the names of CONDITIONS.
        confirmed: share of the signs that were confirmed with their class at some time.
        confirmed_wrong: share of the signs that were confirmed as another class at some time.
        switches: how often a sign changed its track, all signs together.
        flicker_single: how often a second what single frames say about a sign changes.
        flicker_tracked: the same of tracks.
        confirm_s: median time from the first frame that gets a sign right to its confirmation.
        false_single: readings of known signs where none is, per minute.
        false_tracks: confirmed tracks that are on no sign at any time, per minute.
        update_ms: median time of an update of the tracker.
    """

    drives: int
    frames: int
    seconds: float
    signs: int
    shares: dict[str, Share]
    confirmed: float
    confirmed_wrong: float
    switches: int
    flicker_single: float
    flicker_tracked: float
    confirm_s: float | None
    false_single: float
    false_tracks: float
    update_ms: float | None


def drives(images: Sequence[BoxImage], count: int = DRIVES, *, seed: int = 0) -> list[Drive]:
    """Choose signs to drive to, evenly over the pictures; none twice before all were there.

    Raises:
        DataError: no picture has a sign that is large enough.
    """
    large = [
        (image, number)
        for image in images
        for number, (x1, y1, x2, y2) in enumerate(image.boxes)
        if min(x2 - x1, y2 - y1) >= MIN_TARGET
    ]
    if not large:
        raise DataError(f"no sign has {MIN_TARGET} px or more, so there is none to drive to")
    step = max(1, len(large) // max(1, count))
    ordered = [large[k] for offset in range(step) for k in range(offset, len(large), step)]
    return [Drive(*ordered[k % len(ordered)], seed + k) for k in range(count)]


def replay(read: Read, chosen: Sequence[Drive], labels: Sequence[str]) -> list[list[Seen]]:
    """Read every frame of the drives; ``labels`` are the names of the pictures' classes."""
    return [[_see(read, shot) for shot in shots(drive, labels)] for drive in chosen]


def shots(drive: Drive, labels: Sequence[str]) -> Iterable[Shot]:
    """The frames of one drive."""
    names = [labels[class_id] for class_id in drive.image.class_ids]
    picture = read_bgr(drive.image.path)
    return sequence(picture, drive.image.boxes, names, target=drive.target, seed=drive.seed)


def _see(read: Read, shot: Shot) -> Seen:
    size_hw = (shot.frame.shape[0], shot.frame.shape[1])
    return Seen(shot.stamp_ns, size_hw, read(shot.frame), shot.signs, shot.blur_px, shot.gain)


class _Pair(NamedTuple):
    """What was said about a true sign in one frame."""

    single: str
    tracked: str
    track_id: int | None
    is_confirmed: bool
    stamp_ns: int
    conditions: frozenset[str]


@dataclass
class _Tally:
    """What adds up over the drives."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)  # by condition and kind
    total: Counter[str] = field(default_factory=Counter)
    followed_s: float = 0.0
    waits_s: list[float] = field(default_factory=list)
    update_ms: list[float] = field(default_factory=list)


def score(replays: Sequence[Sequence[Seen]], spec: ModelSpec, constants: Constants = CONSTANTS) -> Streaming:
    """Follow what was read, and compare with the truth."""
    tally = _Tally()
    for replayed in replays:
        _score_drive(replayed, SignTracker(spec, constants), tally)
    seconds = sum((drive[-1].stamp_ns - drive[0].stamp_ns) / 1e9 for drive in replays if drive)
    total, per_s = tally.total, 1 / max(1e-9, tally.followed_s)
    return Streaming(
        drives=len(replays),
        frames=sum(map(len, replays)),
        seconds=seconds,
        signs=total["signs"],
        shares={name: _share(tally.counts, name) for name in CONDITIONS},
        confirmed=total["confirmed"] / max(1, total["signs"]),
        confirmed_wrong=total["confirmed_wrong"] / max(1, total["signs"]),
        switches=total["switches"],
        flicker_single=total["changes_single"] * per_s,
        flicker_tracked=total["changes_tracked"] * per_s,
        confirm_s=median(tally.waits_s) if tally.waits_s else None,
        false_single=60 * total["false_single"] / max(1e-9, seconds),
        false_tracks=60 * total["false_tracks"] / max(1e-9, seconds),
        update_ms=median(tally.update_ms) if tally.update_ms else None,
    )


def _share(counts: Counter[tuple[str, str]], condition: str) -> Share:
    pairs = counts[condition, "pairs"]
    kinds = ("single", "tracked", "wrong_single", "wrong_tracked")
    return Share(pairs, *(counts[condition, kind] / max(1, pairs) for kind in kinds))


def _score_drive(replayed: Sequence[Seen], tracker: SignTracker, tally: _Tally) -> None:
    pairs: dict[int, list[_Pair]] = defaultdict(list)
    labels = {true.id: true.label for seen in replayed for true in seen.truth}
    hidden_until_ns: dict[int, int] = defaultdict(int)
    on_nothing: set[int] = set()
    on_signs: set[int] = set()
    for seen in replayed:
        tracks = tracker.update(seen.signs, seen.stamp_ns, size_hw=seen.size_hw)
        tally.update_ms.append(tracks.latency_ms["track"])
        for true in seen.truth:
            if true.visible < MIN_VISIBLE:
                hidden_until_ns[true.id] = seen.stamp_ns + HIDDEN_NS
            elif size_px(true.box) >= COUNTS_FROM and true.label in tracker.spec.labels:
                pairs[true.id].append(_pair(seen, tracks, true, hidden_until_ns[true.id]))
        for sign in seen.signs:
            is_false = bool(sign) and sign.box is not None and not _is_on_sign(sign.box, seen.truth)
            tally.total["false_single"] += is_false
        on_signs |= {track.id for track in tracks if _is_on_sign(track.box, seen.truth)}
        on_nothing |= {track.id for track in tracks if track.is_confirmed and track.is_seen}
    tally.total["false_tracks"] += len(on_nothing - on_signs)
    for number, history in pairs.items():
        _score_sign(history, labels[number], tally)


def _score_sign(history: Sequence[_Pair], label: str, tally: _Tally) -> None:
    total = tally.total
    for pair in history:
        for condition in pair.conditions:
            tally.counts[condition, "pairs"] += 1
            tally.counts[condition, "single"] += pair.single == label
            tally.counts[condition, "tracked"] += pair.tracked == label
            tally.counts[condition, "wrong_single"] += pair.single not in ("", label)
            tally.counts[condition, "wrong_tracked"] += pair.tracked not in ("", label)
    if len(history) < MIN_FRAMES:
        return
    total["signs"] += 1
    ids = [pair.track_id for pair in history if pair.track_id is not None]
    total["switches"] += sum(a != b for a, b in pairwise(ids))
    total["changes_single"] += sum(a.single != b.single for a, b in pairwise(history))
    total["changes_tracked"] += sum(a.tracked != b.tracked for a, b in pairwise(history))
    tally.followed_s += (history[-1].stamp_ns - history[0].stamp_ns) / 1e9
    confirmed = [pair for pair in history if pair.is_confirmed]
    total["confirmed_wrong"] += any(pair.tracked != label for pair in confirmed)
    right = [pair.stamp_ns for pair in confirmed if pair.tracked == label]
    if right:
        total["confirmed"] += 1
        first = min((pair.stamp_ns for pair in history if pair.single == label), default=right[0])
        tally.waits_s.append(max(0, right[0] - first) / 1e9)


def _pair(seen: Seen, tracks: Tracks, true: TrueSign, hidden_until_ns: int) -> _Pair:
    read = [sign for sign in seen.signs if sign.box is not None]
    single = _best(true.box, [sign.box for sign in read if sign.box is not None])
    tracked = _best(true.box, [track.box for track in tracks])
    is_known = single is not None and bool(read[single])
    track = tracks[tracked] if tracked is not None else None
    return _Pair(
        single=read[single].label if single is not None and is_known else "",
        tracked=track.label if track is not None else "",
        track_id=track.id if track is not None else None,
        is_confirmed=track is not None and track.is_confirmed,
        stamp_ns=seen.stamp_ns,
        conditions=_conditions(seen, true, hidden_until_ns),
    )


def _conditions(seen: Seen, true: TrueSign, hidden_until_ns: int) -> frozenset[str]:
    size = size_px(true.box)
    holds = {
        "blurred": seen.blur_px >= BLURRED * size,
        "exposure": not DARK < seen.gain < BRIGHT,
        "hidden": true.visible < 0.95 or seen.stamp_ns < hidden_until_ns,
        "near": size >= NEAR,
    }
    named = {name for name, value in holds.items() if value} or {"clear"}
    return frozenset(named | {"all"})


def _best(box: Box, others: Sequence[Box], least: float = MIN_IOU) -> int | None:
    """Index of the box that overlaps most; None if none does enough."""
    shares = overlaps(np.array([box]), np.reshape(others, (-1, 4)))[0]
    return int(shares.argmax()) if shares.max(initial=0.0) >= least else None


def _is_on_sign(box: Box, truth: Iterable[TrueSign]) -> bool:
    return _best(box, [true.box for true in truth], TOUCHES) is not None
