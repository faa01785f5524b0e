"""Live: the running graph of ROS 2, for the room of that name; only ``graph`` and ``watched`` know rclpy."""
