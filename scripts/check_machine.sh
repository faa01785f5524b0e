#!/bin/sh
# Says in one line what this machine lacks, before anything is downloaded.
# usage: check_machine.sh PYTHON MACHINE

python=$1
machine=$2

fail() {
  echo "perception: $*" >&2
  exit 1
}

command -v "$python" >/dev/null ||
  fail "there is no $python; install Python 3.10 or newer (sudo apt install python3 python3-venv)"
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])') || fail "$python does not run"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
  fail "$python is Python $version and 3.10 is the oldest that works; name a newer one: make PYTHON=python3.11 ..."
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
  fail "$python cannot make virtual environments; install them: sudo apt install python3-venv"

if [ -n "$ROS_DISTRO" ]; then
  # A container image of ROS sets only ROS_DISTRO; its entry point sets AMENT_PREFIX_PATH.
  [ -n "$AMENT_PREFIX_PATH" ] ||
    fail "ROS_DISTRO is $ROS_DISTRO, but no ROS 2 is sourced: . /opt/ros/$ROS_DISTRO/setup.sh"
  for package in rclpy vision_msgs; do
    "$python" -c "import $package" 2>/dev/null ||
      fail "ROS 2 $ROS_DISTRO is sourced, but $python (Python $version) finds no $package;" \
        "sudo apt install ros-$ROS_DISTRO-$(echo $package | tr _ -), or name ROS's own Python: make PYTHON=/usr/bin/python3 ..."
  done
  exit 0
fi

[ "$machine" = x86_64 ] ||
  fail "there are no ROS 2 wheels for $machine; install ROS 2 from its apt packages and source it:" \
    ". /opt/ros/jazzy/setup.sh"
"$python" -c 'import sys; sys.exit(sys.version_info >= (3, 14))' ||
  fail "$python is Python $version, and nothing newer than 3.13 was tried with the ROS 2 wheels;" \
    "name an older one: make PYTHON=python3.13 ..."
command -v c++ >/dev/null || command -v g++ >/dev/null || command -v clang++ >/dev/null ||
  fail "there is no C++ compiler, which vision_msgs needs; install one: sudo apt install g++"
