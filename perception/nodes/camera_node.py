"""CameraNode: what the nodes share. Lifecycle, the newest frame, one worker, /diagnostics.

    executor's thread   image_raw ─► a place for one frame; a newer one takes it, which counts as dropped
    worker's thread     that place ─► read ─► answer (prepare, infer, finish) ─► publish

The executor never waits for a frame, so parameters, transitions and diagnostics answer at once.
"""

from __future__ import annotations

import contextlib
import copy
import queue
import threading
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection2DArray, LabelInfo

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ModuleNotFoundError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

import perception
from perception import frames
from perception.errors import FrameError, PerceptionError, WrongTaskError
from perception.frames import Frame
from perception.latency import Stopwatch
from perception.nodes import diagnostics, messages, params

NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
NEWEST_RELIABLE = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
RELIABLE = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
LATCHED = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)

_TRANSPORTS = {"raw": (Image, "image_raw"), "compressed": (CompressedImage, "image_raw/compressed")}


class Job(NamedTuple):
    """A frame on its way to the worker, and the boxes that came for it (None where none are used)."""

    image: Image | CompressedImage
    rois: Detection2DArray | None
    watch: Stopwatch


class CameraNode(LifecycleNode):
    """A lifecycle node that answers every camera frame it has time for.

    Args:
        load: opens a model as ``perception.load`` does.
        options: go to rclpy's Node, e.g. ``namespace`` or ``parameter_overrides``.

    Raises:
        UnknownParameterError: it was given a parameter that it does not have.
        rclpy.exceptions.ParameterException: a parameter's value is of no use.
    """

    task: ClassVar[str]
    model_file: ClassVar[str]
    parameters: ClassVar[tuple[params.Param, ...]]

    def __init__(self, *, load: Callable[..., Any] = perception.load, **options: Any) -> None:
        super().__init__(self.task, **options)
        params.declare(self, self.parameters)
        self.add_on_set_parameters_callback(self._refuse_while_loaded)
        self.model: Any = None
        self.health = diagnostics.Health()
        self._load = load
        self._fault = ""
        self._facts: dict[str, str] = {}
        self._inputs: list[Subscription] = []
        self._outputs: list[Publisher] = []
        self._place: queue.Queue[Job | None] = queue.Queue(maxsize=1)
        self._worker: threading.Thread | None = None
        self._is_finalized = False
        self._service_change_state.callback = self._tolerant(self._service_change_state.callback)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        # A steady clock: with use_sim_time and no /clock, a timer of ROS time would stay silent.
        self.create_timer(1.0, self._tell, clock=Clock(clock_type=ClockType.STEADY_TIME))

    # What a node adds

    @abstractmethod
    def open(self) -> None:
        """Create the outputs; ``self.model`` is there."""

    def subscribe(self) -> None:
        """Create the inputs.

        Frames are asked for reliably as long as every camera offers that, for Fast DDS loses most best-effort
        messages over 512 kB; of those that arrive the newest still wins.
        """
        self._subscribe_image(NEWEST_RELIABLE)

    def on_image(self, image: Image | CompressedImage) -> None:
        """A frame came in."""
        self.offer(image)

    @abstractmethod
    def answer(self, frame: Frame, rois: Detection2DArray | None) -> Any:
        """Run the model on a frame; the result has ``latency_ms``."""

    @abstractmethod
    def publish(self, result: Any, frame: Frame, job: Job) -> None:
        """Send a result out under the header of the image that it came from."""

    # What a node calls

    def input(self, message_type: type, topic: str, callback: Callable[[Any], None], qos: QoSProfile) -> None:
        """Subscribe, until the node is deactivated."""
        self._inputs.append(self.create_subscription(message_type, topic, callback, qos))

    def output(self, message_type: type, topic: str, qos: QoSProfile) -> Publisher:
        """A publisher that lasts until clean-up. Users may override the QoS by parameter."""
        overridable = QoSOverridingOptions.with_default_policies()
        publisher = self.create_publisher(
            message_type, topic, copy.copy(qos), qos_overriding_options=overridable
        )
        self._outputs.append(publisher)
        return publisher

    def offer(self, image: Image | CompressedImage, rois: Detection2DArray | None = None) -> None:
        """Make a frame the worker's next; one that still waits is dropped."""
        self._put(Job(image, rois, Stopwatch()))

    # Lifecycle

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model and create the outputs."""
        result = self._transition(self._configure)
        if result != TransitionCallbackReturn.SUCCESS:
            self._free()
        return result

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start the worker, publish the labels, subscribe."""
        result = self._transition(self._activate)
        if result != TransitionCallbackReturn.SUCCESS:
            self._deactivate()
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe and let the worker end its frame."""
        return self._transition(self._deactivate)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the model and the outputs."""
        return self._transition(self._free)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and free, from whichever state."""
        self._deactivate()
        self._is_finalized = True
        return self._transition(self._free)

    def destroy_node(self) -> None:
        """Stop the worker while its publishers are still there."""
        self._deactivate()
        super().destroy_node()

    def _transition(self, step: Callable[[], None]) -> TransitionCallbackReturn:
        try:
            step()
        except PerceptionError as error:
            self._fault = str(error)
        except Exception as error:  # rclpy swallows what a transition raises; here it is told
            self._fault = f"{type(error).__name__}: {error}"
        else:
            self._fault = ""
            return TransitionCallbackReturn.SUCCESS
        if self.context.ok():
            self.get_logger().error(self._fault)
        return TransitionCallbackReturn.FAILURE

    def _configure(self) -> None:
        path, device = params.model_path(self, self.model_file), params.value(self, "device", str)
        self.get_logger().info(f"loading {path} on {device}")
        self.model = self._load(path, device=device)
        spec = self.model.spec
        if spec.task != self.task:
            raise WrongTaskError(f"{path} is a model for {spec.task!r}; set model to one for {self.task!r}")
        self.get_logger().info(f"loaded on {self.model.device}: {len(spec.labels)} classes")
        self._facts = {"model": str(path), "device": self.model.device}
        self._label_info = self.output(LabelInfo, f"{self.task}/label_info", LATCHED)
        self.open()
        params.refuse_unknown_qos(self)

    def _activate(self) -> None:
        self._worker = threading.Thread(target=self._work, name="worker", daemon=True)
        self._worker.start()
        header = Header(stamp=self.get_clock().now().to_msg())
        self._label_info.publish(messages.label_info(self.model.spec, header))
        self.health.restart()
        self.subscribe()
        self.get_logger().info(f"listening on {', '.join(source.topic_name for source in self._inputs)}")

    def _deactivate(self) -> None:
        while self._inputs:
            self.destroy_subscription(self._inputs.pop())
        if self._worker is not None:
            self._put(None)
            self._worker.join()
            self._worker = None

    def _free(self) -> None:
        while self._outputs:
            self.destroy_publisher(self._outputs.pop())
        self.model = None
        self._facts = {}

    def _tolerant(self, change: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        """Refuse a transition that the state does not have; rclpy would let it end the process."""

        def answer(request: Any, response: Any) -> Any:
            try:
                return change(request, response)
            except rclpy_implementation.RCLError as error:
                self.get_logger().warning(f"transition refused: {error}")
                response.success = False
                return response

        return answer

    def _refuse_while_loaded(self, changes: list[Parameter]) -> SetParametersResult:
        names = {change.name for change in changes} & {"model", "device"}
        if self.model is None or not names:
            return SetParametersResult(successful=True)
        reason = f"{', '.join(sorted(names))}: a model is loaded; deactivate and clean up first"
        return SetParametersResult(successful=False, reason=reason)

    # Frames

    def _subscribe_image(self, qos: QoSProfile) -> None:
        message_type, topic = _TRANSPORTS[params.value(self, "image_transport", str)]
        events = SubscriptionEventCallbacks(incompatible_qos=self._take_best_effort)
        source = self.create_subscription(message_type, topic, self._on_image, qos, event_callbacks=events)
        self._inputs.insert(0, source)

    def _take_best_effort(self, _: object) -> None:
        """A camera publishes best effort, so reliable cannot be asked for."""
        if self._inputs:
            self.destroy_subscription(self._inputs.pop(0))
            self._subscribe_image(NEWEST)

    def _on_image(self, image: Image | CompressedImage) -> None:
        stamp = image.header.stamp
        stamp_ns = stamp.sec * 1_000_000_000 + stamp.nanosec
        now_ns = self.get_clock().now().nanoseconds  # 0 until a simulated clock ticks
        self.health.received((now_ns - stamp_ns) / 1e6 if stamp_ns and now_ns else None)
        self.on_image(image)

    def _put(self, job: Job | None) -> None:
        # Only the executor's thread puts, so a place that it has just emptied is free.
        with contextlib.suppress(queue.Empty):
            self._place.get_nowait()
            self.health.dropped()
        self._place.put_nowait(job)

    def _work(self) -> None:
        while (job := self._place.get()) is not None:
            self.health.began()
            try:
                self._process(job)
            except FrameError as error:
                self.health.bad(error.reason, str(error))
                self.get_logger().warning(f"bad frame: {error}", throttle_duration_sec=1.0)
            except Exception as error:  # the one boundary: whatever a frame sets off, the node goes on
                if not self.context.ok():
                    return
                told = f"{type(error).__name__}: {error}"
                self.health.failed(told)
                self.get_logger().error(f"frame failed: {told}", throttle_duration_sec=1.0)

    def _process(self, job: Job) -> None:
        watch = Stopwatch()
        read = frames.from_image if isinstance(job.image, Image) else frames.from_compressed
        frame = read(job.image)
        watch.lap("read")
        result = self.answer(frame, job.rois)
        watch.lap("answer")
        self.publish(result, frame, job)
        watch.lap("publish")
        job.watch.lap("total")
        # "answer" is told as its stages instead.
        laps = watch.laps_ms
        inside = result.latency_ms
        self.health.processed(
            {"read": laps["read"], **inside, "publish": laps["publish"], **job.watch.laps_ms}
        )

    # Diagnostics

    def _other_topic(self) -> str:
        other = "compressed" if params.value(self, "image_transport", str) == "raw" else "raw"
        return str(self.resolve_topic_name(_TRANSPORTS[other][1]))

    def _tell(self) -> None:
        gap = diagnostics.input_gap(self, self._inputs[0], self._other_topic()) if self._inputs else ""
        state = "active" if self._worker else "unconfigured" if self.model is None else "inactive"
        state = "finalized" if self._is_finalized else state
        status = self.health.status(
            state=state,
            fault=self._fault,
            stale_after_s=params.value(self, "stale_after", float),
            input_gap=gap,
            output_gaps=diagnostics.output_gaps(self, self._outputs),
        )
        status.name = f"{self.get_fully_qualified_name().lstrip('/')}: frames"
        status.values += diagnostics.key_values({"state": state, "task": self.task, **self._facts})
        stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(DiagnosticArray(header=Header(stamp=stamp), status=[status]))
