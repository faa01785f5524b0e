"""Small recordings of strings, whole and in parts, for tests of the files that bags consist of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zstandard
from mcap.writer import CompressionType, Writer
from rosbags.rosbag1 import Writer as Ros1Writer
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer as Ros2Writer
from rosbags.typesys import Stores, get_typestore

from perception.recordings.bag import BagReader, typestore
from tests.bags import text

A, B = "/a", "/b"
KIND = "std_msgs/msg/String"
Line = tuple[str, int, str]  # topic, time in ns, text

CHUNKS = {
    "none": {"compression": CompressionType.NONE},
    "lz4": {"compression": CompressionType.LZ4},
    "zstd": {"compression": CompressionType.ZSTD},
    "loose": {"use_chunking": False},
}


def lines(numbers: Iterable[int], topic: str = A, *, size: int = 0) -> list[Line]:
    """Messages that name their number, so many tenths of a second after 100 s, with noise behind."""
    noise = np.random.default_rng(0)
    return [
        (topic, 100 * 10**9 + number * 10**8, f"{number} {noise.bytes(size // 2).hex()}")
        for number in numbers
    ]


def mcap(
    path: Path,
    content: Sequence[Line],
    *,
    profile: str = "ros2",
    encoding: str = "cdr",
    schema: str = "ros2msg",
    chunk_size: int = 4000,
    **options: Any,
) -> Path:
    """Write an MCAP with Foxglove's writer, of which each part may be left out."""
    store = get_typestore(Stores.ROS1_NOETIC) if encoding == "ros1" else typestore()
    with path.open("wb") as file:
        writer = Writer(file, chunk_size=chunk_size, **options)
        writer.start(profile)
        name = KIND.replace("/msg", "") if encoding == "ros1" else KIND
        key = writer.register_schema(name, schema, b"string data" if schema else b"")
        topics = sorted({topic for topic, _, _ in content})
        channels = {topic: writer.register_channel(topic, encoding, key) for topic in topics}
        for topic, time_ns, words in content:
            message = store.types[KIND](words)
            data = store.serialize_ros1(message, KIND) if encoding == "ros1" else cdr(words)
            writer.add_message(channels[topic], time_ns, data, time_ns)
        writer.finish()
    return path


def db3(path: Path, content: Sequence[Line], *, compressed: bool = False) -> Path:
    """Write a .db3 with rosbags' writer; compressed message by message, if wanted."""
    folder = path.parent / f"{path.name}-made"
    with Ros2Writer(folder, version=8, storage_plugin=StoragePlugin.SQLITE3) as bag:
        topics = {
            topic: bag.add_connection(topic, KIND, typestore=typestore())
            for topic in sorted({topic for topic, _, _ in content})
        }
        for topic, time_ns, words in content:
            data = cdr(words)
            bag.write(topics[topic], time_ns, zstandard.compress(data) if compressed else data)
    (made,) = folder.glob("*.db3")
    made.rename(path)
    (folder / "metadata.yaml").unlink()
    folder.rmdir()
    return path


def ros1(path: Path, content: Sequence[Line], compression: Any = None) -> Path:
    """Write a ROS 1 bag."""
    store = get_typestore(Stores.ROS1_NOETIC)
    bag = Ros1Writer(path)
    bag.chunk_threshold = 4000
    if compression is not None:
        bag.set_compression(compression)
    with bag:
        topics = {
            topic: bag.add_connection(topic, KIND, typestore=store)
            for topic in sorted({topic for topic, _, _ in content})
        }
        for topic, time_ns, words in content:
            bag.write(topics[topic], time_ns, store.serialize_ros1(store.types[KIND](words), KIND))
    return path


def cut(path: Path, share: float) -> Path:
    """Keep the beginning of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def packed(path: Path, suffix: str = ".zstd") -> Path:
    """Compress a whole file as rosbag2 does, in place of it."""
    target = path.with_name(path.name + suffix)
    target.write_bytes(zstandard.compress(path.read_bytes()))
    path.unlink()
    return target


def cdr(words: str) -> bytes:
    """A serialized string."""
    return bytes(typestore().serialize_cdr(text(words), KIND))


def read(path: Path, topics: Sequence[str] = (A, B)) -> list[tuple[str, int, int]]:
    """All of a bag: (topic, time in ns, number)."""
    with BagReader(path) as bag:
        found = [(topic, time, int(m.data.split()[0])) for topic, time, m in bag.messages(topics)]
        assert len(found) == sum(bag.count(topic) for topic in topics)
        assert not found or bag.end_ns == max(time for _, time, _ in found) + 1
    return found


def numbers(content: Sequence[Line]) -> list[tuple[str, int, int]]:
    """What ``read`` gives for them."""
    return [(topic, time_ns, int(words.split()[0])) for topic, time_ns, words in content]
