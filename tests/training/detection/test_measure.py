"""Measures of boxes against cases counted by hand, and against COCO's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from perception.boxes import overlaps
from training.datasets.images import BoxImage
from training.detection.answers import Answer, mean_average_precision
from training.detection.compare import ap50, differences, tally
from training.detection.evaluate import alarms, by_size, measures, misses
from training.detection.graph import calibrate
from training.detection.measure import Ranking, match


def boxes(*corners: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(corners, np.float32).reshape(-1, 4)


def answer(
    found: np.ndarray, scores: list[float], wanted: np.ndarray, read: list[int] | None = None
) -> Answer:
    """Of one picture; true classes are 0, 1, 2, …"""
    image = BoxImage(Path("a.png"), tuple(map(tuple, wanted.tolist())), tuple(range(len(wanted))))
    own = np.array(scores, np.float32)
    return Answer(image, wanted, found, own, np.array(read or [0] * len(found)), own)


SIGN, NEXT = (10.0, 10.0, 30.0, 30.0), (50.0, 10.0, 70.0, 30.0)
STREET, HALF = (10.0, 50.0, 30.0, 70.0), (10.0, 10.0, 30.0, 20.0)


def test_overlap() -> None:
    assert overlaps(boxes(SIGN), boxes(SIGN, HALF, NEXT)).tolist() == [[1.0, 0.5, 0.0]]


def test_each_sign_is_found_once_by_the_best_box() -> None:
    found = boxes(HALF, SIGN, NEXT, STREET)
    assert match(found, boxes(SIGN, NEXT)).tolist() == [0, -1, 1, -1]
    assert match(found, boxes()).tolist() == [-1] * 4
    assert match(boxes(), boxes(SIGN)).tolist() == []


def test_ranking_of_two_frames() -> None:
    """Best first: hit, alarm, hit, alarm; one of three signs is missed."""
    frames = [
        (boxes(SIGN, STREET), np.array([0.9, 0.8]), boxes(SIGN, NEXT)),
        (boxes(NEXT, STREET), np.array([0.7, 0.1]), boxes(NEXT)),
    ]
    ranking = Ranking.of(frames)
    assert ranking.is_hit.tolist() == [True, False, True, False]
    assert ranking.recall.tolist() == pytest.approx([1 / 3, 1 / 3, 2 / 3, 2 / 3])
    assert ranking.alarms.tolist() == [0.0, 0.5, 0.5, 1.0]
    # Precision 1 at 34 of the 101 recalls (0 to 0.33), 2/3 at the next 33.
    assert ranking.average_precision == pytest.approx((34 + 33 * 2 / 3) / 101)
    assert ranking.alarms_at(0.5) == 0.5 and np.isnan(ranking.alarms_at(0.9))
    assert ranking.recall_at(0.0) == pytest.approx(1 / 3) and ranking.recall_at(0.5) == pytest.approx(2 / 3)


def test_average_precision_is_that_of_coco() -> None:
    rng = np.random.default_rng(0)
    answers = []
    for _ in range(20):
        low = np.column_stack([100.0 * np.arange(6), rng.uniform(0, 200, 6)])  # signs do not overlap
        wanted = np.hstack([low, low + rng.uniform(25, 60, (6, 2))]).astype(np.float32)
        found = (wanted + rng.normal(0, 4, wanted.shape)).astype(np.float32)
        order = np.argsort(-(scores := rng.random(6)))
        answers.append(answer(found[order], scores[order].tolist(), wanted))
    own = Ranking.of((one.found, one.scores, one.wanted) for one in answers).average_precision
    theirs, stricter = mean_average_precision(answers)
    assert 0.2 < stricter < theirs < 0.99
    assert own == pytest.approx(theirs, abs=1e-6)


def test_reading_counts_the_classes_that_occur() -> None:
    right = answer(boxes(SIGN, NEXT), [0.9, 0.8], boxes(SIGN, NEXT), read=[0, 1])
    assert mean_average_precision([right], classes=True)[0] == pytest.approx(1.0)
    wrong = answer(boxes(SIGN, NEXT), [0.9, 0.8], boxes(SIGN, NEXT), read=[0, 7])
    assert mean_average_precision([wrong], classes=True)[0] == pytest.approx(0.5)
    assert mean_average_precision([wrong])[0] == pytest.approx(1.0)
    assert mean_average_precision([answer(boxes(), [], boxes(SIGN))]) == (0.0, 0.0)


def test_figures_of_one_frame() -> None:
    tiny = (80.0, 80.0, 92.0, 92.0)
    one = answer(boxes(SIGN, STREET), [0.9, 0.6], boxes(SIGN, tiny))
    figures, rates, details = measures([one], 0.1)
    assert figures["recall"] == 0.5 and figures["ap50"] == pytest.approx(51 / 101)
    assert rates == {"false_alarms_a_frame": 1.0}  # 90 % of the signs are not found at any score
    # (0.9 right and 0.6 wrong: 0.1 and 0.6 apart, half of the boxes each)
    assert figures["calibration_error"] == pytest.approx(0.35, abs=1e-6)
    assert details["signs"] == 2 and details["frames"] == 1
    assert by_size([one])["0 to 16 px"] == {"signs": 1, "recall": 0.0}
    assert by_size([one])["16 to 24 px"] == {"signs": 1, "recall": 1.0}
    assert by_size([one])["70 px and more"] == {"signs": 0, "recall": None}
    assert [miss.box for miss in misses([one])] == [tiny]
    assert [(alarm.box, round(alarm.score, 1)) for alarm in alarms([one])] == [(STREET, 0.6)]


def test_models_are_compared_by_their_boxes() -> None:
    def outputs(found: np.ndarray, *scores: float) -> dict[str, np.ndarray]:
        return {"boxes": found, "scores": np.array(scores, np.float32)}

    ours = outputs(boxes(SIGN, NEXT), 0.9, 0.8)
    same, apart = differences(ours, outputs(boxes(NEXT, SIGN), 0.8, 0.7))
    assert same.all() and sorted(apart) == pytest.approx([0.0, 0.0, 0.2, 0.2], abs=1e-6)
    same, _ = differences(ours, outputs(boxes(SIGN, STREET), 0.9, 0.8))
    assert same.tolist() == [True, False, True, False]
    same, apart = differences(outputs(boxes(SIGN), 0.01), outputs(boxes(STREET), 0.02))
    assert same.tolist() == [True] and apart.tolist() == [0.0]  # noise is not compared

    counts = tally([boxes(SIGN, NEXT)], ours, 1) + tally(
        [boxes(NEXT)], outputs(boxes(STREET, NEXT), 0.95, 0.5), 1
    )
    assert counts[-1] == 3 and counts[:-1].sum() == 4
    assert ap50(counts) == pytest.approx(0.75, abs=0.01)  # an alarm first, then all three signs


def test_scores_become_shares_of_signs() -> None:
    """Nine in ten boxes of score 0.5 are signs, and one in ten of 0.2."""
    rng = np.random.default_rng(0)
    scores = np.repeat([0.5, 0.2], 500)
    is_hit = rng.random(1000) < np.repeat([0.9, 0.1], 500)
    ranking = Ranking(scores, is_hit, int(is_hit.sum()), 300)
    fitted, threshold = calibrate(ranking, None, has_learnt=False)

    def score(raw: float) -> float:
        logit = fitted["slope"] * np.log(raw / (1 - raw)) + fitted["offset"]
        return float(1 / (1 + np.exp(-logit)))

    assert score(0.5) == pytest.approx(0.9, abs=0.03) and score(0.2) == pytest.approx(0.1, abs=0.03)
    assert threshold == pytest.approx(score(0.2))  # one false alarm a frame is beyond the surer half

    few = Ranking(scores[:40], is_hit[:40], 40, 10)
    for ranking_of, has_learnt in ((few, False), (ranking, True)):
        assert calibrate(ranking_of, None, has_learnt=has_learnt)[0] == {"slope": 1.0, "offset": 0.0}
