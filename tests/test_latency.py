import pytest

from perception.latency import Latency, Stopwatch


def test_percentiles_by_stage_in_the_order_they_came() -> None:
    latency = Latency()
    for value in range(101):
        latency.add({"prepare": float(value), "infer": 2.0 * value})
    assert latency.percentiles() == {"prepare": (50.0, 95.0, 99.0), "infer": (100.0, 190.0, 198.0)}
    assert list(latency.percentiles()) == ["prepare", "infer"]


def test_only_the_last_frames_count() -> None:
    latency = Latency(window=3)
    for value in (1000.0, 1.0, 1.0, 1.0):
        latency.add({"infer": value})
    assert latency.percentiles() == {"infer": (1.0, 1.0, 1.0)}
    latency = Latency()  # a thousand of them
    for value in [0.0] * 501 + [1.0] * 500:
        latency.add({"infer": value})
    assert latency.percentiles()["infer"][0] == 0.5


def test_nothing_measured_yet() -> None:
    assert Latency().percentiles() == {}


def test_a_stopwatch_gives_each_stage_its_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter((7.0, 7.010, 7.030))
    monkeypatch.setattr("time.perf_counter", lambda: next(seconds))
    watch = Stopwatch()
    watch.lap("first")
    watch.lap("second")
    assert watch.laps_ms == pytest.approx({"first": 10.0, "second": 20.0})
