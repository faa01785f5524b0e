"""A recorded bag through both nodes into a new one.

    ros2 launch perception replay.launch.py bag:=drive out:=answers image_topic:=/camera/image_raw

Takes the arguments of perception.launch.py too. Ends when the bag does.
"""

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
RESULTS = r"/diagnostics|.*/(signs|segmentation)/(classification|detections|mask|confidence|label_info)"
LAST_ANSWERS_S = 3.0


def refuse_existing(context: LaunchContext) -> list[Action]:
    """The recorder alone would end at once, and the bag would play for nothing."""
    out = Path(LaunchConfiguration("out").perform(context))
    if out.exists():
        raise FileExistsError(f"out: {out} exists already; remove it, or name another folder with out:=")
    return []


def end_with_recorder(event: ProcessExited, context: LaunchContext) -> list[Action]:
    """Nothing is kept from then on; at the bag's end, the recorder is told to go like all others."""
    if context.is_shutdown:
        return []
    return [
        LogInfo(msg="the recorder has ended before the bag; what it says above is why"),
        EmitEvent(event=Shutdown(reason="the recorder has ended")),
    ]


def generate_launch_description() -> LaunchDescription:
    nodes = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(NODES)), launch_arguments={"use_sim_time": "true"}.items()
    )
    # --clock before another option: it would take the bag's name for its value.
    play = ExecuteProcess(
        cmd=[
            *("ros2", "bag", "play", LaunchConfiguration("bag"), "--clock"),
            *("--rate", LaunchConfiguration("rate"), "--delay", LaunchConfiguration("delay")),
        ],
        output="screen",
    )
    record = ExecuteProcess(
        cmd=["ros2", "bag", "record", "--use-sim-time", "-o", LaunchConfiguration("out"), "--regex", RESULTS],
        output="screen",
    )
    end = EmitEvent(event=Shutdown(reason="the bag has ended"))
    finish = TimerAction(period=LAST_ANSWERS_S, actions=[end])
    return LaunchDescription(
        [
            DeclareLaunchArgument("bag", description="bag to play"),
            DeclareLaunchArgument("out", default_value="perception_out", description="new bag"),
            DeclareLaunchArgument("rate", default_value="1.0", description="how fast to play"),
            DeclareLaunchArgument("delay", default_value="5.0", description="s until it plays; models load"),
            OpaqueFunction(function=refuse_existing),
            nodes,
            record,
            RegisterEventHandler(OnProcessExit(target_action=record, on_exit=end_with_recorder)),
            RegisterEventHandler(OnProcessExit(target_action=play, on_exit=[finish])),
            play,
        ]
    )
