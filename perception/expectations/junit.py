"""JUnit: verdicts as the XML that continuous integration reads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from perception.expectations.quantities import Drive, Verdict, number
from perception.paths import replacing

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # in XML 1.0


def write(drives: Sequence[Drive], path: Path) -> None:
    """Write a test suite for each drive, with a test case for each expectation."""
    suites = [_suite(drive) for drive in drives]
    totals = {
        key: str(sum(int(suite.get(key, "0")) for suite in suites)) for key in ("tests", "failures", "errors")
    }
    root = ElementTree.Element("testsuites", {"name": "perception evaluate", **totals})
    root.extend(suites)
    ElementTree.indent(root)
    with replacing(path) as unfinished:
        ElementTree.ElementTree(root).write(unfinished, encoding="utf-8", xml_declaration=True)


def _suite(drive: Drive) -> ElementTree.Element:
    cases = [_case(drive, verdict) for verdict in drive.verdicts]
    if drive.error:
        case = ElementTree.Element(
            "testcase", {"classname": _clean(drive.name), "name": "replay", "time": "0"}
        )
        ElementTree.SubElement(case, "error", {"message": _clean(drive.error)})
        cases.insert(0, case)
    suite = ElementTree.Element(
        "testsuite",
        {
            "name": _clean(drive.name),
            "tests": str(len(cases)),
            "failures": str(len(drive.failed)),
            "errors": str(int(bool(drive.error))),
            "time": f"{drive.seconds:.3f}",
        },
    )
    suite.extend(cases)
    if drive.remarks:
        ElementTree.SubElement(suite, "system-err").text = _clean("\n".join(drive.remarks))
    return suite


def _case(drive: Drive, verdict: Verdict) -> ElementTree.Element:
    expectation = verdict.expectation
    place = {"file": _clean(str(drive.expected.path)), "line": str(expectation.line)}
    name = _clean(f"{expectation.quantity.name}: {expectation.bounds}")
    case = ElementTree.Element(
        "testcase", {"classname": _clean(drive.name), "name": name, "time": "0", **place}
    )
    if verdict.problem:
        message = _clean(f"{drive.expected.path}:{expectation.line}: {verdict.problem}")
        ElementTree.SubElement(case, "failure", {"message": message})
    elif verdict.value is not None:
        ElementTree.SubElement(case, "system-out").text = number(verdict.value)
    return case


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("?", text)
