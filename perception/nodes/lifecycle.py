"""ManagedNode: a lifecycle node whose transitions say what went wrong, and that no request can crash."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from perception.errors import PerceptionError


class ManagedNode(LifecycleNode):
    """The four steps of a lifecycle, each an ordinary method that may raise.

    Attributes:
        fault: why the last transition failed; empty if it did not.
        is_finalized: the node was shut down.
    """

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        self.fault = ""
        self.is_finalized = False
        self._service_change_state.callback = self._tolerant(self._service_change_state.callback)

    @abstractmethod
    def configure(self) -> None:
        """Load the model and create the outputs."""

    @abstractmethod
    def activate(self) -> None:
        """Start the worker, publish the labels, subscribe."""

    @abstractmethod
    def deactivate(self) -> None:
        """Unsubscribe and let the worker finish its frame; also called if nothing is active."""

    @abstractmethod
    def free(self) -> None:
        """Free the model and the outputs, whether they are there or not."""

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model and create the outputs."""
        result = self._transition(self.configure)
        if result != TransitionCallbackReturn.SUCCESS:
            self.free()
        return result

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start the worker, publish the labels, subscribe."""
        result = self._transition(self.activate)
        if result != TransitionCallbackReturn.SUCCESS:
            self.deactivate()
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe and let the worker finish its frame."""
        return self._transition(self.deactivate)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the model and the outputs."""
        return self._transition(self.free)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and free, from any state."""
        self.deactivate()
        self.is_finalized = True
        return self._transition(self.free)

    def destroy_node(self) -> None:
        """Stop the worker while its publishers are still there."""
        self.deactivate()
        super().destroy_node()
        # rclpy leaves it to the garbage collector, and others see the node until that comes.
        self._state_machine.destroy_when_not_in_use()

    def _transition(self, step: Callable[[], None]) -> TransitionCallbackReturn:
        try:
            step()
        except PerceptionError as error:
            self.fault = str(error)
        except Exception as error:  # rclpy swallows what a transition raises
            self.fault = f"{type(error).__name__}: {error}"
        else:
            self.fault = ""
            return TransitionCallbackReturn.SUCCESS
        if self.context.ok():
            self.get_logger().error(self.fault)
        return TransitionCallbackReturn.FAILURE

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
