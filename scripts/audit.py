"""Look up known vulnerabilities of what is installed, by pip-audit.

    python -m scripts.audit

Those that are found are an error. A look-up that fails is only a warning, because it says nothing about the
packages.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRAM = Path(sys.prefix) / "audit" / "bin" / "pip-audit"
OPTIONS = ("--format", "json", "--progress-spinner", "off", "--timeout", "5")
LIMIT_S = 120.0
KNOWN = "numpy==1.26.4"  # to see whether there is an answer at all, before hundreds of questions


class LookUpError(Exception):
    """The look-up failed."""


@dataclass(frozen=True)
class Audit:
    """What is known of the packages.

    Attributes:
        looked_up: how many there are answers about.
        skipped: those that the service does not know.
        vulnerable: "name version: vulnerability, remedy", one for each.
    """

    looked_up: int
    skipped: tuple[str, ...]
    vulnerable: tuple[str, ...]


def audit(program: Sequence[str], folder: str) -> Audit:
    """Look up the packages in a folder.

    Args:
        program: the command that is pip-audit.
        folder: such as ``…/site-packages``.

    Raises:
        LookUpError: there is no answer.
    """
    probe = _asked([*program, "--requirement", "/dev/stdin", "--no-deps", "--disable-pip"], KNOWN)
    if all("skip_reason" in package for package in probe):
        raise LookUpError(f"the service of vulnerabilities does not know {KNOWN}")
    packages = _asked([*program, "--path", folder], "")
    return Audit(
        sum("skip_reason" not in package for package in packages),
        tuple(package["name"] for package in packages if "skip_reason" in package),
        tuple(
            f"{package['name']} {package['version']}: {one['id']}, {_remedy(one['fix_versions'])}"
            for package in packages
            for one in package.get("vulns", ())
        ),
    )


def _asked(command: Sequence[str], text: str) -> list[Mapping[str, Any]]:
    try:
        done = subprocess.run(
            [*command, *OPTIONS], input=text, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
        packages: list[Mapping[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LookUpError(str(error)) from error
    except ValueError as error:
        last_line = "".join(done.stderr.strip().splitlines()[-1:])
        raise LookUpError(f"pip-audit ended with exit code {done.returncode}: {last_line}") from error
    return packages


def _remedy(versions: Sequence[str]) -> str:
    return f"fixed in {', '.join(versions)}" if versions else "not fixed so far"


def main() -> int:
    """Print what is known; 1 if there are vulnerabilities."""
    argparse.ArgumentParser(prog="python -m scripts.audit", description=__doc__.splitlines()[0]).parse_args()
    try:
        found = audit([str(PROGRAM)], sysconfig.get_path("purelib"))
    except LookUpError as error:
        print(f"warning: vulnerabilities were not looked up: {error}", file=sys.stderr)
        return 0
    for line in found.vulnerable:
        print(line)
    print(f"{found.looked_up} packages looked up, {len(found.vulnerable)} vulnerabilities")
    if found.skipped:
        print(f"warning: the service does not know {', '.join(found.skipped)}", file=sys.stderr)
    return int(bool(found.vulnerable))


if __name__ == "__main__":
    sys.exit(main())
