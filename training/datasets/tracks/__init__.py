"""How a track of a small car is drawn: camera, floor, lines, things, room and light, each in its file."""
