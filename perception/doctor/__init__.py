"""Doctor: what is wrong on this machine, found out before a drive.

    Host ─► board, versions, accelerators, middleware, disk, power ─┐
    DDS ─► nodes/topics_seen.py ─► topics ──────────────────────────┴─► Finding, …

One file per area. Each has a function that measures and returns frozen findings, and ``commands/doctor.py``
prints them. What could not be found out has a level of its own, ``unknown``, and is never ``ok``.
"""

from __future__ import annotations

from perception.doctor import accelerators, board, disk, middleware, power, versions
from perception.doctor.finding import Finding
from perception.doctor.host import Host

AREAS = (board, versions, accelerators, middleware, disk, power)  # in the order of the report; topics follow


def examine(host: Host) -> list[Finding]:
    """Everything that can be found out without ROS."""
    return [finding for area in AREAS for finding in area.findings(host)]
