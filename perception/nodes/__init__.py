"""The ROS 2 nodes: messages in, messages out. Beside ``demo``, this is the only part that imports rclpy."""
