"""The ROS 2 side, the only part that imports rclpy: messages in, messages out; the work is done elsewhere."""
