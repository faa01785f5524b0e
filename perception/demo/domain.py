"""A ROS domain of one's own, so that what runs side by side on a machine does not hear each other."""

from __future__ import annotations

import errno
import socket
from functools import cache

from perception.errors import PerceptionError

_DOMAINS = range(42, 100)  # robots mostly have lower ones
_kept: list[socket.socket] = []  # as long as this process lives


@cache
def own_domain() -> int:
    """A domain that no robot uses, nor any other process that asks here; this process keeps it to its end.

    Raises:
        PerceptionError: all are taken.
    """
    for domain in _DOMAINS:
        name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            name.bind(f"\0perception-domain-{domain}")  # in no file system, so nothing is left by a crash
        except OSError as error:
            name.close()
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            _kept.append(name)
            return domain
    raise PerceptionError(
        f"all ROS domains from {_DOMAINS[0]} to {_DOMAINS[-1]} are taken on this machine by demos, notebooks "
        "or tests; end some of them"
    )
