"""What is made of the answers of pip-audit; a program takes its place, because there may be no network."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts import audit

FLAW = {"id": "PYSEC-2026-1", "fix_versions": ["1.1", "2.0"], "aliases": [], "description": ""}
GOOD = {"name": "good", "version": "1.0", "vulns": []}
FLAWED = {"name": "flawed", "version": "1.0", "vulns": [FLAW, FLAW | {"id": "X", "fix_versions": []}]}
OWN = {"name": "own", "skip_reason": "Dependency not found on PyPI"}


@pytest.fixture
def pip_audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lets the program answer so about what is installed, and so about a package that everybody knows."""

    def install(packages: list[Any] | None, known: Any = GOOD) -> None:
        program = tmp_path / "pip-audit"
        probe, answer = json.dumps({"dependencies": [known]}), json.dumps({"dependencies": packages})
        program.write_text(
            f"#!{sys.executable}\nimport sys\n"
            f"if '--requirement' in sys.argv: print({probe!r})\n"
            + (f"else: print({answer!r})\n" if packages is not None else "else: sys.exit('no network')\n")
        )
        program.chmod(0o755)
        monkeypatch.setattr(audit, "PROGRAM", program)
        monkeypatch.setattr(sys, "argv", ["audit"])

    return install


def test_vulnerabilities_are_an_error_with_their_remedy(
    pip_audit: Any, capsys: pytest.CaptureFixture
) -> None:
    pip_audit([GOOD, FLAWED, OWN])
    assert audit.main() == 1
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "flawed 1.0: PYSEC-2026-1, fixed in 1.1, 2.0",
        "flawed 1.0: X, not fixed so far",
        "2 packages looked up, 2 vulnerabilities",
    ]
    assert err == "warning: the service does not know own\n"


def test_without_vulnerabilities_it_says_how_many_were_looked_up(
    pip_audit: Any, capsys: pytest.CaptureFixture
) -> None:
    pip_audit([GOOD])
    assert audit.main() == 0
    assert capsys.readouterr().out == "1 packages looked up, 0 vulnerabilities\n"


@pytest.mark.parametrize(
    ("packages", "known", "problem"),
    [
        (None, GOOD, "exit code 1: no network"),
        ([GOOD], OWN | {"name": "numpy"}, "does not know numpy"),
    ],
)
def test_a_look_up_that_fails_is_a_warning_and_never_a_clean_bill(
    pip_audit: Any, capsys: pytest.CaptureFixture, packages: Any, known: Any, problem: str
) -> None:
    pip_audit(packages, known)
    assert audit.main() == 0
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("warning: vulnerabilities were not looked up: ") and problem in err


def test_without_pip_audit_it_is_a_warning_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(audit, "PROGRAM", tmp_path / "missing")
    monkeypatch.setattr(sys, "argv", ["audit"])
    assert audit.main() == 0
    assert "No such file" in capsys.readouterr().err
