"""The demo, the bag player and the recorder; beside ``nodes``, the only part that imports rclpy."""
