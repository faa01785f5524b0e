"""A sweep as a page, and as a table on the terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from rich.table import Table

from perception.report.page import Report
from perception.report.tables import numbers
from training.sweep.plan import Choice, Plan
from training.sweep.results import COMPLETE, FAILED, INTERRUPTED, PRUNED, RUNNING, Sweep, Tried

LINES = 8  # curves in one chart
TOP = 5  # trials in the table on the terminal


def in_brief(sweep: Sweep) -> str:
    """How many trials ended how."""
    counts = {state: len(sweep.of_state(state)) for state in (COMPLETE, PRUNED, FAILED, INTERRUPTED, RUNNING)}
    return ", ".join(f"{count} {state}" for state, count in counts.items() if count) or "no trials yet"


def best_trials(sweep: Sweep) -> Table:
    """The best complete trials and their settings."""
    best = [trial for trial in sweep.ranked() if trial.state == COMPLETE][:TOP]
    names = list(best[0].settings) if best else []
    rows = [
        [str(trial.number), f"{trial.value:.4f}", *(short(trial.settings.get(name)) for name in names)]
        for trial in best
    ]
    return numbers(["trial", sweep.metric, *(name.rpartition(".")[2] for name in names)], rows)


def page(sweep: Sweep, plan: Plan) -> Report:
    """Everything that the study knows."""
    epochs = sum(trial.epochs for trial in sweep.trials)
    hours = sum(trial.seconds for trial in sweep.trials) / 3600
    report = Report(
        f"Sweep {sweep.study}",
        f"{len(sweep.trials)} trials from {plan.config}: {in_brief(sweep)}; {epochs} epochs in {hours:.1f} h",
    )
    if (best := next(iter(sweep.ranked()), None)) and best.state == COMPLETE:
        chosen = "\n".join(f"{name}: {short(value)}" for name, value in best.settings.items())
        report.text("Best", f"trial {best.number}: {sweep.metric} {best.value:.4f}\n{chosen}")
    history = list(so_far(sweep))
    if len(history) > 1:
        report.curve(
            "Best so far", {"complete trials": history}, x_label="epochs of all trials", y_label=sweep.metric
        )
    curves = {
        f"{trial.number}{'' if trial.state == COMPLETE else ' (' + trial.state + ')'}": [
            (100 * share, value) for share, value in trial.curve
        ]
        for trial in _of_all_kinds(sweep)
    }
    if curves:
        report.curve("Some trials", curves, x_label="% of a training", y_label=sweep.metric)
    if sweep.importances:
        shares = {name: 100 * share for name, share in sweep.importances.items()}
        report.bars("Which settings matter", shares, unit="% of the differences between complete trials")
    report.table("Where the best lie", ["setting", "searched", "best", "best quarter"], ranges(sweep, plan))
    report.table(
        "Trials", ["trial", "state", sweep.metric, "epochs", "min", *plan.search], _rows(sweep, plan)
    )
    if failures := [[trial.number, trial.error, trial.folder] for trial in sweep.of_state(FAILED)]:
        report.table("Failed", ["trial", "error", "folder"], failures)
    return report


def so_far(sweep: Sweep) -> Iterator[tuple[float, float]]:
    """(Epochs of all trials until then, best value of a complete trial), trial by trial."""
    better = max if sweep.direction == "maximize" else min
    epochs, best = 0, None
    for trial in sweep.trials:
        epochs += trial.epochs
        if trial.state == COMPLETE and trial.value is not None:
            best = trial.value if best is None else better(best, trial.value)
        if best is not None:
            yield epochs, best


def _of_all_kinds(sweep: Sweep) -> Sequence[Tried]:
    """The best complete trials, and some that were stopped, as many as a chart can show."""
    curved = [trial for trial in sweep.ranked() if len(trial.curve) > 1]
    complete = [trial for trial in curved if trial.state == COMPLETE]
    others = [trial for trial in curved if trial.state != COMPLETE]
    best = complete[: max(LINES // 2, LINES - len(others))]
    return [*best, *others[: LINES - len(best)]]


def ranges(sweep: Sweep, plan: Plan) -> Iterator[list[str]]:
    """For each setting: where it was searched, the best value, and where the best quarter of trials lie."""
    ranked = sweep.ranked()
    best = ranked[: max(1, len(ranked) // 4)]
    for name, where in plan.search.items():
        ends = where.ends()
        if not ranked:
            yield [name, _span(ends, where), "", ""]
            continue
        values = [trial.settings[name] for trial in best if name in trial.settings]
        yield [name, _span(ends, where), short(ranked[0].settings.get(name)), _span(values, where)]


def _span(values: Sequence[Any], where: Any) -> str:
    if isinstance(where, Choice):
        return ", ".join(dict.fromkeys(short(value) for value in values))
    return f"{short(min(values))} – {short(max(values))}" if values else ""


def _rows(sweep: Sweep, plan: Plan) -> Iterator[list[str | int | float | None]]:
    ranked = sweep.ranked()
    for trial in [*ranked, *(trial for trial in sweep.trials if trial.value is None)]:
        yield [
            trial.number,
            trial.state,
            None if trial.value is None else f"{trial.value:.4f}",
            trial.epochs,
            round(trial.seconds / 60, 1),
            *(short(trial.settings.get(name)) for name in plan.search),
        ]


def short(value: Any) -> str:
    """A setting with three digits that count."""
    return (
        f"{value:.3g}" if isinstance(value, float) else value if isinstance(value, str) else json.dumps(value)
    )
