// The generated converters ask for this header and use nothing of it: vision_msgs has no arrays of numbers.
