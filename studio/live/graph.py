"""The graph of ROS 2, seen by a thread with a context of its own, which is there only while somebody looks.

    watch(topic) ─► subscription ─► its newest messages      ends LEASE_S after the last look at the topic
    call(service) ─► client ─► its answer                    likewise
    the thread and its node                                  end IDLE_S after the last look at anything

Names come from the network, so those that ROS 2 does not allow are left out. Messages are kept as bytes until
somebody wants to see them, because bytes that do not fit their type would end the wait for all others.
"""

from __future__ import annotations

import concurrent.futures
import importlib
import re
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any, TypeVar

import rclpy
from rclpy.context import Context
from rclpy.exceptions import InvalidHandle
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy

from perception import topics
from perception.errors import PerceptionError
from perception.nodes.messages import message_class, qos_profile
from perception.nodes.middleware import RCL_ERRORS, use_fast_dds_profile
from studio.live.watched import Watched
from studio.settings import StudioError

LEASE_S = 5.0
IDLE_S = 20.0
ANSWER_S = 5.0
DISCOVERY_S = (1.0, 3.0)  # that a new node gets to know the others, and if it knows none then
NEW_S = 10.0  # the same, on a busy machine
_PERIOD_S = 0.5  # between two looks for what nobody looks at any more
_NAME = re.compile(r"(/[A-Za-z_][A-Za-z0-9_]*)+")

Value = TypeVar("Value")


class _Client:
    """A client of a service, and until when it is kept."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.until = 0.0


class Graph:
    """Joins the graph in the domain that the environment names; only its own thread touches the node.

    Raises:
        PerceptionError: ROS 2 cannot start here.

    Attributes:
        domain: the ROS domain.
        is_over: nobody looked for a while, so it has left the graph.
    """

    def __init__(self) -> None:
        use_fast_dds_profile()
        self._context = Context()
        try:
            rclpy.init(args=[], context=self._context)
            self._node: Any = rclpy.create_node(
                "studio",
                context=self._context,
                use_global_arguments=False,
                enable_rosout=False,
                start_parameter_services=False,
            )
        except RCL_ERRORS as error:
            self._context.try_shutdown()
            raise PerceptionError(f"ROS 2 cannot start: {error}") from error
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._watched: dict[tuple[str, str], Watched] = {}
        self._clients: dict[tuple[str, str], _Client] = {}
        self._began = time.monotonic()
        self._until = self._began + IDLE_S
        self.domain: int = self._context.get_domain_id()
        self.is_over = False
        self._thread = threading.Thread(target=self._run, name="live", daemon=True)
        self._thread.start()

    @property
    def is_new(self) -> bool:
        """It may not know all others yet."""
        return time.monotonic() - self._began < NEW_S

    def settle(self) -> None:
        """Wait until this node, which may just have joined, knows the others."""
        least, most = (self._began + seconds for seconds in DISCOVERY_S)
        time.sleep(max(0.0, least - time.monotonic()))
        while time.monotonic() < most and not self.nodes():
            time.sleep(0.1)

    def offered(self, kinds: Collection[str]) -> dict[str, str]:
        """Topic → type, of all that is published, is of one of these types and can be read here."""

        def look() -> dict[str, str]:
            return {
                name: kind
                for name, found in self._node.get_topic_names_and_types()
                for kind in found
                if kind in kinds and message_class(kind)  # others would be imported by a stranger's word
                if _NAME.fullmatch(name) and self._node.count_publishers(name)
            }

        return self._do(look)

    def nodes(self) -> list[str]:
        """Full names of all other nodes."""
        found = self._do(self._node.get_node_names_and_namespaces)
        names = {f"{space.rstrip('/')}/{name}" for name, space in found if not name.startswith("_")}
        return sorted(name for name in names - {"/studio"} if _NAME.fullmatch(name))

    def services(self) -> set[str]:
        """Full names of all services."""
        return {name for name, _ in self._do(self._node.get_service_names_and_types)}

    def watched(self) -> list[str]:
        """Names of the topics that are subscribed to now."""
        return sorted(topic for topic, _ in list(self._watched))

    def watch(self, topic: str, kind: str, *, depth: int = 1) -> Watched:
        """What comes on a topic, from the first look at it on.

        Args:
            topic: one of those that ``offered`` names.
            kind: type of its messages.
            depth: how many messages are kept.
        """
        watched = self._watched.get((topic, kind))
        if watched is None:
            watched = self._do(lambda: self._subscribed(topic, kind, depth))
        watched.until = time.monotonic() + LEASE_S
        self._until = time.monotonic() + IDLE_S
        return watched

    def call(self, kind: str, service: str, *, patience_s: float = ANSWER_S, **fields: Any) -> Any:
        """Call a service.

        Args:
            kind: its type, as in ``lifecycle_msgs/srv/GetState``.
            service: its full name.
            patience_s: how long an answer is waited for.
            fields: of the request.

        Raises:
            StudioError: it is not there, or does not answer.
        """
        request = service_class(kind).Request(**fields)
        client = self._do(lambda: self._client(kind, service))
        end = time.monotonic() + patience_s
        while not client.service_is_ready():
            if time.monotonic() > end:
                raise StudioError(f"{service} is not there; has its node ended? Load the page again")
            time.sleep(0.02)
        answer: concurrent.futures.Future[Any] = concurrent.futures.Future()
        self._do(lambda: client.call_async(request).add_done_callback(answer.set_result))
        try:
            return answer.result(max(0.0, end - time.monotonic())).result()
        except concurrent.futures.TimeoutError as error:
            raise StudioError(
                f"{service} did not answer within {patience_s:g} s; its node is busy, or hangs: look at what "
                "it says on /diagnostics"
            ) from error

    def close(self) -> None:
        """Leave the graph."""
        self._until = 0.0
        with suppress(InvalidHandle):  # it has left already
            self._executor.create_task(lambda: None)  # so that it does not wait until the next look
        self._thread.join()

    def _do(self, what: Callable[[], Value]) -> Value:
        """Have the thread do something; gives what it returns, or raises what it raises."""
        self._until = max(self._until, time.monotonic() + IDLE_S)
        answer: concurrent.futures.Future[Value] = concurrent.futures.Future()

        def run() -> None:
            try:
                answer.set_result(what())
            except BaseException as error:
                answer.set_exception(error)

        try:
            self._executor.create_task(run)
            return answer.result(ANSWER_S)
        except (concurrent.futures.TimeoutError, InvalidHandle) as error:
            raise StudioError("ROS 2 does not answer here; load the page again") from error

    def _run(self) -> None:
        look_at = time.monotonic()
        while time.monotonic() < self._until and self._context.ok():
            try:
                self._executor.spin_once(timeout_sec=_PERIOD_S)
                if time.monotonic() >= look_at:
                    look_at = time.monotonic() + _PERIOD_S
                    self._tidy()
            except ExternalShutdownException:
                break
            except Exception:  # an answer that is none; whoever waits for it is told that it did not come
                time.sleep(0.1)
        self.is_over = True
        self._executor.shutdown()
        self._node.destroy_node()
        self._context.try_shutdown()

    def _tidy(self) -> None:
        """End what nobody looks at, and follow publishers that offer something else than before."""
        now = time.monotonic()
        for key, watched in list(self._watched.items()):
            if watched.until < now:
                del self._watched[key]
                self._node.destroy_subscription(watched.subscription)
            elif self._qos(watched.topic, watched.depth) != watched.qos:
                self._node.destroy_subscription(watched.subscription)
                self._subscribe(watched)
        for key, client in list(self._clients.items()):
            if client.until < now:
                del self._clients[key]
                self._node.destroy_client(client.client)

    def _subscribed(self, topic: str, kind: str, depth: int) -> Watched:
        watched = self._watched.get((topic, kind))
        if watched is None:
            watched = Watched(topic, kind, depth)
            watched.until = time.monotonic() + LEASE_S
            self._subscribe(watched)
            self._watched[topic, kind] = watched
        return watched

    def _subscribe(self, watched: Watched) -> None:
        watched.qos = self._qos(watched.topic, watched.depth)
        watched.subscription = self._node.create_subscription(
            message_class(watched.kind), watched.topic, watched.take, qos_profile(watched.qos), raw=True
        )

    def _qos(self, topic: str, depth: int) -> topics.Qos:
        """The most that all publishers offer: what is reliable loses no large frame."""
        offers = [info.qos_profile for info in self._node.get_publishers_info_by_topic(topic)]
        return topics.Qos(
            depth,
            reliable=all(offer.reliability == ReliabilityPolicy.RELIABLE for offer in offers),
            latched=bool(offers)
            and all(offer.durability == DurabilityPolicy.TRANSIENT_LOCAL for offer in offers),
        )

    def _client(self, kind: str, service: str) -> Any:
        kept = self._clients.get((kind, service))
        if kept is None:
            kept = _Client(self._node.create_client(service_class(kind), service))
            self._clients[kind, service] = kept
        kept.until = time.monotonic() + 2 * ANSWER_S
        return kept.client


def service_class(kind: str) -> Any:
    """The installed Python class of a service named as in ``lifecycle_msgs/srv/GetState``."""
    package, _, name = kind.split("/")
    return getattr(importlib.import_module(f"{package}.srv"), name)
