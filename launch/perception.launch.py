"""Both nodes for one camera, in a process each or in one, with the arguments that Nav2 has.

ros2 launch perception perception.launch.py --show-args
"""

import json
from collections.abc import Iterable
from pathlib import Path
from tempfile import NamedTemporaryFile

from launch.actions import DeclareLaunchArgument, ExecuteProcess, OpaqueFunction, RegisterEventHandler
from launch.event_handlers import OnProcessExit
from launch.some_substitutions_type import SomeSubstitutionsType
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import ExecutableInPackage

from launch import Action, LaunchContext, LaunchDescription

PARAMS_FILE = Path(__file__).resolve().parents[1] / "config" / "perception.yaml"

ARGUMENTS = (
    ("namespace", "", "namespace of both nodes"),
    ("use_sim_time", "", "take the time from /clock; empty: as in params_file"),
    ("params_file", str(PARAMS_FILE), "parameters of both nodes; the arguments below override it"),
    ("autostart", "", "configure and activate at start-up; empty: as in params_file"),
    ("use_respawn", "false", "start a node again when it ends"),
    ("stack", "false", "both nodes in one process, which receives and decodes each frame once"),
    ("log_level", "info", "debug, info, warn, error or fatal"),
    ("image_topic", "image_raw", "the camera's topic, without /compressed"),
    ("image_transport", "", "raw or compressed; empty: as in params_file"),
    ("model", "", "folder with signs.onnx and segnet.onnx; empty: as in params_file"),
    ("signs_model", "", "of the node signs alone: a file, a folder, or a shipped one's name; empty: model"),
    ("segmentation_model", "", "the same of segmentation; track: floor and lines of a small car's track"),
    ("boxes", "", "of signs, from: detector, rois or frame; empty: as in params_file"),
    ("detector", "", "sign_detector.onnx or its folder; empty: as in params_file"),
    ("device", "", "auto, cpu, cuda or tensorrt; empty: as in params_file"),
    ("precision", "", "auto, fp32 or int8; empty: as in params_file"),
    ("strict_device", "", "true: do not let the CPU answer while TensorRT builds; empty: as in params_file"),
    ("build", "false", "true: build TensorRT engines of the models above before the nodes start"),
    ("ground", "", "true: also say in metres what masks show; empty: as in params_file"),
    ("camera_height_m", "", "of the lens above the floor, for ground; empty: as in params_file"),
    ("camera_pitch_deg", "", "by which the camera looks down, for ground; empty: as in params_file"),
    ("drivable", "", "labels that can be driven on, for ground; empty: as in params_file"),
)

# argument, parameter, and its type, of both nodes and of one; what comes later wins
TO_BOTH = (
    ("use_sim_time", "use_sim_time", bool),
    ("autostart", "autostart", bool),
    ("image_transport", "image_transport", str),
    ("model", "model", str),
    ("device", "device", str),
    ("precision", "precision", str),
    ("strict_device", "strict_device", bool),
)
TO_ONE = {
    "signs": (("signs_model", "model", str), ("boxes", "boxes", str), ("detector", "detector", str)),
    "segmentation": (
        ("segmentation_model", "model", str),
        ("ground", "ground", bool),
        ("camera_height_m", "camera_height_m", float),
        ("camera_pitch_deg", "camera_pitch_deg", float),
        ("drivable", "drivable", str),
    ),
}


def generate_launch_description() -> LaunchDescription:
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, default, description in ARGUMENTS
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=start_nodes)])


def start_nodes(context: LaunchContext) -> list[Action]:
    """Start both nodes, once the engines are built if that is asked for."""
    params_file = LaunchConfiguration("params_file").perform(context)
    if not Path(params_file).is_file():
        raise FileNotFoundError(f"params_file: {params_file} does not exist; name another file")
    nodes = together_or_apart(context)
    if not is_true("build", context):
        return nodes
    building = ExecuteProcess(cmd=build_command(context), name="build", output="screen")
    # Even if it fails: the nodes say so, too, and answer from what is there.
    return [RegisterEventHandler(OnProcessExit(target_action=building, on_exit=nodes)), building]


def together_or_apart(context: LaunchContext) -> list[Node]:
    """The nodes in one process or in one each."""
    if is_true("stack", context):
        return [process("stack", given_to_each(context))]
    return [process(name, [given(TO_BOTH + own, context)], name=name) for name, own in TO_ONE.items()]


def is_true(argument: str, context: LaunchContext) -> bool:
    """Whether an argument is true; anything but true and false is refused."""
    word = LaunchConfiguration(argument).perform(context).lower()
    if word not in ("true", "false"):
        raise ValueError(f"{argument} is {word!r}; it must be true or false")
    return word == "true"


def build_command(context: LaunchContext) -> list[SomeSubstitutionsType]:
    """``perception build`` with the models that the arguments name; those in params_file are not known."""
    values = {argument: LaunchConfiguration(argument).perform(context) for argument, *_ in ARGUMENTS}
    models = {
        "signs": values["signs_model"] or values["model"],
        "segmentation": values["segmentation_model"] or values["model"],
        "detector": values["detector"] if values["boxes"] in ("", "detector") else "none",
    }
    given = [word for task, model in models.items() if model for word in (f"--{task}", model)]
    return [ExecutableInPackage(package="perception", executable="perception"), "build", *given]


def process(executable: str, parameters: list[str | dict[str, ParameterValue]], **options: str) -> Node:
    """A process of the package."""
    image_topic = LaunchConfiguration("image_topic")
    return Node(
        package="perception",
        executable=executable,
        namespace=LaunchConfiguration("namespace"),
        parameters=[LaunchConfiguration("params_file"), *parameters],
        remappings=[("image_raw", image_topic), ("image_raw/compressed", [image_topic, "/compressed"])],
        ros_arguments=["--log-level", LaunchConfiguration("log_level")],
        respawn=LaunchConfiguration("use_respawn"),
        respawn_delay=2.0,
        output="screen",
        **options,
    )


def given(arguments: Iterable[tuple[str, str, type]], context: LaunchContext) -> dict[str, ParameterValue]:
    """The arguments as parameters, without the empty ones, because these would override params_file."""
    return {
        parameter: ParameterValue(LaunchConfiguration(argument), value_type=kind)
        for argument, parameter, kind in arguments
        if LaunchConfiguration(argument).perform(context)
    }


def given_to_each(context: LaunchContext) -> list[str]:
    """The same for nodes that share a process: a file, because only that can name a node in a namespace."""
    nodes = {
        f"/**/{node}": {
            "ros__parameters": {
                name: value.evaluate(context) for name, value in given(TO_BOTH + own, context).items()
            }
        }
        for node, own in TO_ONE.items()
    }
    nodes = {name: node for name, node in nodes.items() if node["ros__parameters"]}
    if not nodes:
        return []
    # launch_ros writes a dictionary of parameters in the same way. JSON is YAML.
    with NamedTemporaryFile("w", prefix="launch_params_", suffix=".yaml", delete=False) as file:
        json.dump(nodes, file)
    return [file.name]
