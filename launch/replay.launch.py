"""Play a recorded bag through both nodes, and record their results in a new bag.

    ros2 launch perception replay.launch.py bag:=drive out:=answers image_topic:=/camera/image_raw

Only the bag's images and boxes are played, because it may hold results from the drive. The arguments of
perception.launch.py can be given, too. The launch ends when the bag does.
"""

import os
from pathlib import Path

from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    ExecuteProcess,
    IncludeLaunchDescription,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
    TimerAction,
)
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.events.process import ProcessExited
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration

from launch import Action, LaunchContext, LaunchDescription

NODES = Path(__file__).resolve().parent / "perception.launch.py"
RESULTS = (
    r"/diagnostics|.*/(signs|segmentation)/(classification|detections|events|mask|confidence|label_info)"
    r"|.*/ground/(corridor|lane|stop_line)"
)
LAST_ANSWERS_S = 3.0
CONFIG = Path(__file__).resolve().parents[1] / "config"


def large_messages() -> dict[str, str]:
    """Environment in which the player's large frames arrive; a profile that the user has chosen stays.

    The same as in perception/nodes/middleware.py, which needs the nodes' own Python.
    """
    is_local = os.environ.get("ROS_DISTRO") == "humble" and os.environ.get("ROS_LOCALHOST_ONLY") == "1"
    profiles = CONFIG / ("fastdds_local.xml" if is_local else "fastdds.xml")
    names = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")  # the second from Kilted on
    return {name: str(profiles) for name in names if name not in os.environ}


def refuse_existing(context: LaunchContext) -> list[Action]:
    """Refuse an existing folder: the recorder would end at once, and the bag would play for nothing."""
    out = Path(LaunchConfiguration("out").perform(context))
    if out.exists():
        raise FileExistsError(f"out: {out} exists already; remove it, or name another folder with out:=")
    return []


def end_with_recorder(event: ProcessExited, context: LaunchContext) -> list[Action]:
    """End the launch if the recorder ends early, because nothing would be recorded any more."""
    if context.is_shutdown:  # the bag has ended
        return []
    return [
        LogInfo(msg="the recorder has ended before the bag; its output above says why"),
        EmitEvent(event=Shutdown(reason="the recorder has ended")),
    ]


def play(context: LaunchContext) -> list[Action]:
    """Play what the nodes subscribe to, and end after the last answers."""
    namespace = LaunchConfiguration("namespace").perform(context).strip("/")
    image = LaunchConfiguration("image_topic").perform(context)
    names = (image, f"{image}/compressed", os.path.join(os.path.dirname(image), "camera_info"), "rois")
    topics = [name if name.startswith("/") else f"/{namespace}/{name}".replace("//", "/") for name in names]
    # --clock comes before another option, or it would take the bag's name as its value.
    player = ExecuteProcess(
        cmd=[
            *("ros2", "bag", "play", LaunchConfiguration("bag"), "--clock", "--topics", *topics),
            *("--rate", LaunchConfiguration("rate"), "--delay", LaunchConfiguration("delay")),
        ],
        output="screen",
        additional_env=large_messages(),
    )
    end = EmitEvent(event=Shutdown(reason="the bag has ended"))
    finish = TimerAction(period=LAST_ANSWERS_S, actions=[end])
    return [RegisterEventHandler(OnProcessExit(target_action=player, on_exit=[finish])), player]


def generate_launch_description() -> LaunchDescription:
    nodes = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(NODES)), launch_arguments={"use_sim_time": "true"}.items()
    )
    record = ExecuteProcess(
        cmd=["ros2", "bag", "record", "--use-sim-time", "-o", LaunchConfiguration("out"), "--regex", RESULTS],
        output="screen",
    )
    return LaunchDescription(
        [
            DeclareLaunchArgument("bag", description="bag to play"),
            DeclareLaunchArgument("out", default_value="perception_out", description="new bag"),
            DeclareLaunchArgument("rate", default_value="1.0", description="2.0 plays twice as fast"),
            DeclareLaunchArgument(
                "delay", default_value="5.0", description="seconds before it plays, while models load"
            ),
            OpaqueFunction(function=refuse_existing),
            nodes,
            record,
            RegisterEventHandler(OnProcessExit(target_action=record, on_exit=end_with_recorder)),
            OpaqueFunction(function=play),
        ]
    )
