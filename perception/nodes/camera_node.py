"""CameraNode: what the nodes share. Lifecycle, the newest frame, one worker, /diagnostics.

    executor's thread   image_raw ─► room for one job; a newer one replaces it, which counts as dropped
    worker's thread     that job ─► read ─► answer (prepare, infer, finish) ─► publish

The executor never waits for a frame, so parameters, transitions and diagnostics answer at once. Nodes of one
process share its ``Cameras``, and so each frame.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.publisher import Publisher
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription
from std_msgs.msg import Header

import perception
from perception import topics
from perception.engines.precision import choose, precision_of
from perception.errors import FrameError, WrongTaskError
from perception.frames import Frame
from perception.latency import Stopwatch
from perception.model import Model, Result
from perception.nodes import diagnostics, inputs, params
from perception.nodes.bridge import Bridge
from perception.nodes.cameras import Cameras, Picture
from perception.nodes.job import Job
from perception.nodes.lifecycle import ManagedNode
from perception.nodes.messages import make, message_class, qos_profile
from perception.nodes.models import Models
from perception.paths import model_file
from perception.tasks import TASKS
from perception.topics import Origin, Qos

JUMP_NS = 500_000_000  # a stamp that is earlier by more is a clock set back; by less, a frame out of order


class CameraNode(ManagedNode):
    """A lifecycle node that answers every camera frame it has time for.

    Args:
        load: opens a model as ``perception.load`` does.
        cameras: of the process, if other nodes of it look through the same camera.
        options: go to rclpy's Node, e.g. ``namespace`` or ``parameter_overrides``.

    Raises:
        UnknownParameterError: it was given a parameter that it does not have.
        rclpy.exceptions.ParameterException: a parameter's value is of no use.
    """

    task: ClassVar[str]
    parameters: ClassVar[tuple[params.Param, ...]] = params.COMMON
    gone: ClassVar[Mapping[str, str]] = {}  # parameters of earlier releases: what to do in their stead

    def __init__(
        self, *, load: Callable[..., Any] = perception.load, cameras: Cameras | None = None, **options: Any
    ) -> None:
        super().__init__(self.task, **options)
        params.declare(self, self.parameters, gone=self.gone)
        fixed = params.fixed_while(self.parameters, lambda: self.model is not None)
        self.add_on_set_parameters_callback(fixed)
        self.model: Model | None = None
        self.health = diagnostics.Health()
        self._load = load
        self._cameras = cameras or Cameras()
        self._bridge = Bridge(self.get_logger().warning)
        self._models = Models()
        self._inputs: list[Subscription] = []
        self._outputs: list[Publisher] = []
        self._results: list[tuple[topics.Topic, Publisher]] = []
        self._next: queue.Queue[Job | None] = queue.Queue(maxsize=1)
        self._offering = threading.Lock()  # frames come in the thread of the node that subscribed
        self._last_stamp_ns = 0
        self._worker: threading.Thread | None = None
        self._diagnostics = self.create_publisher(DiagnosticArray, topics.DIAGNOSTICS, 10)
        # A steady clock: with use_sim_time and no /clock, a timer of ROS time would stay silent.
        self.create_timer(1.0, self._report, clock=Clock(clock_type=ClockType.STEADY_TIME))

    # What a node adds

    @abstractmethod
    def answer(self, job: Job, frame: Frame) -> Result:
        """Run the model on a frame; called by the worker."""

    def reset(self) -> None:
        """Forget earlier frames: the node is activated, or stamps went back, as when a bag begins again."""

    def subscribe(self) -> None:
        """Create the inputs."""
        self._cameras.listen(self, params.value(self, "image_transport", str))

    def on_frame(self, picture: Picture) -> None:
        """A frame came in."""
        self.offer(Job(picture))

    def origin(self, job: Job, frame: Frame) -> Origin:
        """What messages say of the image."""
        height, width = frame.shape[:2]
        return Origin(job.image.header, (height, width))

    def overlay(self, result: Result, frame: Frame) -> Frame:
        """The annotated frame that is published."""
        return result.overlay(frame)

    def facts(self) -> dict[str, str]:
        """What the diagnostics say besides, by key."""
        return {}

    def rois_gap(self) -> str:
        """What to say about the boxes' publishers where frames find none; empty without boxes."""
        return ""

    # What a node calls

    def input(self, kind: str, topic: str, callback: Callable[[Any], None], qos: Qos) -> Subscription:
        """Subscribe to messages of a type, until the node is deactivated."""
        self._inputs.append(self.create_subscription(message_class(kind), topic, callback, qos_profile(qos)))
        return self._inputs[-1]

    def output(self, kind: str, topic: str, qos: Qos) -> Publisher:
        """A publisher that lasts until clean-up. Users may override the QoS by parameter."""
        overridable = QoSOverridingOptions.with_default_policies()
        publisher = self.create_publisher(
            message_class(kind), topic, qos_profile(qos), qos_overriding_options=overridable
        )
        self._outputs.append(publisher)
        return publisher

    def open_model(self, parameter: str, task: str) -> Any:
        """Load the model for a task from the file that a parameter names, or raise a PerceptionError."""
        path = model_file(params.value(self, parameter, str), TASKS[task].file)
        device = params.value(self, "device", str)
        chosen = choose(path, params.value(self, "precision", str), device)
        path = chosen.path
        self.get_logger().info(f"loading {path} on {device}; {precision_of(path)}: {chosen.reason}")
        while_building = "refuse" if params.value(self, "strict_device", bool) else "cpu"
        model: Model = self._load(path, device=device, while_building=while_building)
        if model.spec.task != task:
            model.close()
            problem = f"{path} is a model for {model.spec.task!r}"
            raise WrongTaskError(f"{problem}; set {parameter} to one for {task!r}")
        self.get_logger().info(f"loaded on {model.device}: {len(model.spec.labels)} classes")
        self._models.add(parameter, path, model, device=device)
        return model

    def loaded(self) -> Model:
        """The model; the node is configured."""
        assert self.model is not None
        return self.model

    def offer(self, job: Job | None) -> None:
        """Make a job the worker's next, and drop one that still waits; None ends the worker."""
        with self._offering:  # so that there is room once it has taken out what waited
            with contextlib.suppress(queue.Empty):
                self._next.get_nowait()
                self.health.dropped()
            self._next.put_nowait(job)

    # Lifecycle

    def configure(self) -> None:
        self.model = self.open_model("model", self.task)
        self._label_info = self.output(topics.LABEL_INFO, topics.label_info_name(self.task), topics.LATCHED)
        self._results = [
            (topic, self.output(topic.kind, topic.name, topic.qos))
            for topic in topics.of_task(self.task).results
        ]
        self._overlay = self.output(topics.IMAGE, topics.overlay_name(self.task), topics.RELIABLE)
        params.refuse_unknown_qos(self)

    def activate(self) -> None:
        self.reset()
        self._last_stamp_ns = 0
        self._worker = threading.Thread(target=self._work, name="worker", daemon=True)
        self._worker.start()
        header = Header(stamp=self.get_clock().now().to_msg())
        self._label_info.publish(topics.label_info(make, self.loaded().spec, header))
        self.health.restart()
        self.subscribe()
        sources = [source for source in (self._cameras.subscription(self), *self._inputs) if source]
        self.get_logger().info(f"listening on {', '.join(source.topic_name for source in sources)}")

    def deactivate(self) -> None:
        self._cameras.leave(self)
        while self._inputs:
            self.destroy_subscription(self._inputs.pop())
        if self._worker is not None:
            self.offer(None)
            self._worker.join()
            self._worker = None

    def free(self) -> None:
        while self._outputs:
            self.destroy_publisher(self._outputs.pop())
        self._results = []
        if self.model is not None:
            self.model.close()
        self.model = None
        self._models.clear()

    # Frames

    def on_picture(self, picture: Picture) -> None:
        """See ``Cameras.listen``; called by the thread that has the subscription."""
        stamp_ns = topics.stamp_ns(picture)
        now_ns = self.get_clock().now().nanoseconds  # 0 until a simulated clock ticks
        self.health.received((now_ns - stamp_ns) / 1e6 if stamp_ns and now_ns else None)
        self.on_frame(picture)

    def failed(self, error: BaseException) -> None:
        """Count and log what went wrong with a frame, or with another event."""
        reason = f"{type(error).__name__}: {error}"
        self.health.failed(reason)
        self.get_logger().error(f"failed: {reason}", throttle_duration_sec=1.0)

    def _work(self) -> None:
        while (job := self._next.get()) is not None:
            self.health.began()
            try:
                self._process(job)
            except FrameError as error:
                self.health.bad(error.reason, str(error))
                self.get_logger().warning(f"bad frame: {error}", throttle_duration_sec=1.0)
            except BaseException as error:  # the one boundary: whatever a frame sets off, the node goes on
                if not self.context.ok():
                    return
                self.failed(error)

    def _process(self, job: Job) -> None:
        watch = Stopwatch()
        frame = job.picture.frame(self._bridge)
        watch.lap("read")
        self._reset_if_stamps_went_back(topics.stamp_ns(job.image))
        result = self.answer(job, frame)
        watch.lap("answer")
        self._publish(result, frame, job)
        watch.lap("publish")
        job.watch.lap("total")
        # The stages of "answer" are reported in its stead.
        laps = watch.laps_ms
        inside = result.latency_ms
        self.health.processed(
            {"read": laps["read"], **inside, "publish": laps["publish"], **job.watch.laps_ms}
        )

    def _publish(self, result: Result, frame: Frame, job: Job) -> None:
        """Send a result out, an empty one too: that a frame shows no known sign is news."""
        origin = self.origin(job, frame)
        for topic, publisher in self._results:
            if not topic.on_demand or publisher.get_subscription_count():
                for message in topic.messages(make, result, origin):
                    publisher.publish(message)
        if self._overlay.get_subscription_count():
            picture = self.overlay(result, frame)
            self._overlay.publish(topics.image(make, picture, "bgr8", job.image.header))

    def _reset_if_stamps_went_back(self, stamp_ns: int) -> None:
        if stamp_ns < self._last_stamp_ns - JUMP_NS:
            self.get_logger().info("the stamps went back: starting anew")
            self.reset()
        self._last_stamp_ns = stamp_ns

    # Diagnostics

    def _report(self) -> None:
        gap = ""
        if camera := self._cameras.subscription(self):
            other = inputs.other_camera_topic(self, params.value(self, "image_transport", str))
            gap = diagnostics.input_gap(self, camera, other)
        state = "active" if self._worker else "unconfigured" if self.model is None else "inactive"
        state = "finalized" if self.is_finalized else state
        status = self.health.status(
            state=state,
            fault=self.fault,
            stale_after_s=params.value(self, "stale_after", float),
            input_gap=gap,
            device_fault=self._models.fault(),
            device_gap=self._models.gap(),
            rois_gap=self.rois_gap(),
            output_gaps=diagnostics.output_gaps(self, self._outputs),
        )
        status.name = f"{self.get_fully_qualified_name().lstrip('/')}: frames"
        facts = {"state": state, "task": self.task, **self._models.facts(), **self.facts()}
        if read_by_cv_bridge := self._bridge.encodings:
            facts["cv_bridge"] = ", ".join(read_by_cv_bridge)
        status.values += diagnostics.key_values(facts)
        stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(DiagnosticArray(header=Header(stamp=stamp), status=[status]))
