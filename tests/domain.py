"""A ROS domain of one's own, so that tests that run side by side do not hear each other."""

from __future__ import annotations

import errno
import socket
from functools import cache

_DOMAINS = range(1, 100)
_kept: list[socket.socket] = []  # as long as this process lives


@cache
def own_domain() -> int:
    """A domain that no other process of tests has on this machine."""
    for domain in _DOMAINS:
        name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            name.bind(f"\0perception-tests-domain-{domain}")
        except OSError as error:
            name.close()
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            _kept.append(name)
            return domain
    raise RuntimeError("all ROS domains are taken by other tests; end those first")
