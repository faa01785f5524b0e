"""Every error that this package raises on purpose.

    PerceptionError
    ├── ModelError               a model file that cannot be used; start-up stops
    │   ├── ModelNotFoundError       no such file
    │   ├── NotAModelError           not ONNX, or cut short
    │   ├── WeightsOutsideError      it takes weights from outside its folder
    │   ├── SpecMissingError         ONNX, but without the perception.spec entry
    │   ├── SpecVersionError         written by a newer release than this one
    │   ├── SpecInvalidError         the entry is there, but a field is missing or wrong
    │   ├── WrongTaskError           a sign model where a segmentation model is needed
    │   └── LabelMismatchError       more or fewer labels than the output has classes
    ├── DeviceError              the requested device does not work here
    │   └── NotBuiltError            its engine has yet to be built
    ├── CameraError              a calibration or a pose of a camera that cannot be used
    ├── FrameError               one bad frame: count it, drop it, go on
    └── InputError               a bag, video, folder or picture that cannot be read

A message says what was wrong, where, and what to do about it.
"""


class PerceptionError(Exception):
    """The base of all errors that this package raises on purpose."""


class ModelError(PerceptionError):
    """A model file that cannot be used."""


class ModelNotFoundError(ModelError):
    """There is no file at the given path."""


class NotAModelError(ModelError):
    """The file is not an ONNX model that ONNX Runtime can open."""


class WeightsOutsideError(ModelError):
    """The model names a file outside its folder for its weights."""


class SpecMissingError(ModelError):
    """The model carries no ``perception.spec``, so nothing says what its outputs mean."""


class SpecVersionError(ModelError):
    """The spec was written by a newer release."""


class SpecInvalidError(ModelError):
    """The spec is there, but a field is missing or wrong."""


class WrongTaskError(ModelError):
    """The model was made for another task."""


class LabelMismatchError(ModelError):
    """The spec's labels do not match the width of the model's output."""


class DeviceError(PerceptionError):
    """The requested device does not work here."""


class NotBuiltError(DeviceError):
    """The engine for the device has yet to be built, or could not be."""


class CameraError(PerceptionError):
    """A calibration or a pose of a camera that cannot be used."""


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
