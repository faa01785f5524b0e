"""The demo, the bag player and the recorder. Beside ``nodes``, this is the only part that imports rclpy."""
