"""Every error this package raises on purpose.

    PerceptionError
    ├── ModelError               a model file that cannot be used; start-up stops
    │   ├── ModelNotFoundError       no such file
    │   ├── NotAModelError           not ONNX, or cut short
    │   ├── SpecMissingError         ONNX, but without the perception.spec entry
    │   ├── SpecVersionError         written by a newer release than this one
    │   ├── SpecInvalidError         the entry is there and does not make sense
    │   ├── WrongTaskError           a sign model where a segmentation model belongs
    │   └── LabelMismatchError       as many labels as outputs, or the names would lie
    ├── DeviceError              the device that was asked for is not there
    ├── FrameError               one bad frame: count it, drop it, go on
    └── InputError               a bag, video, folder or picture that cannot be read

A message says what was wrong, where, and what to do about it.
"""


class PerceptionError(Exception):
    """Anything this package raises on purpose."""


class ModelError(PerceptionError):
    """A model file that cannot be used."""


class ModelNotFoundError(ModelError):
    """There is no file at the given path."""


class NotAModelError(ModelError):
    """The file is not an ONNX model that ONNX Runtime can open."""


class SpecMissingError(ModelError):
    """The model carries no ``perception.spec``, so nothing says what its outputs mean."""


class SpecVersionError(ModelError):
    """The spec was written by a newer release."""


class SpecInvalidError(ModelError):
    """The spec is there, but a field is missing or does not make sense."""


class WrongTaskError(ModelError):
    """The model was made for another task."""


class LabelMismatchError(ModelError):
    """The spec's labels do not match the width of the model's output."""


class DeviceError(PerceptionError):
    """The device that was asked for is not available here."""


class FrameError(PerceptionError):
    """One frame that cannot be used.

    Attributes:
        reason: one word for counting by cause: ``"size"``, ``"step"``, ``"data"``, ``"encoding"``,
            ``"jpeg"``, ``"depth"``, ``"huge"`` or ``"box"``.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class InputError(PerceptionError):
    """A bag, video, folder or picture that cannot be read."""
