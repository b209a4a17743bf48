"""What StreamJobs keeps in data.mdb: Sources/LocalState/Records/StoredValue.swift and KeyEncoding.swift, read by
another program. Only what the campaigns compare."""

import struct

from lmdb_file import Environment
from segments import crc32c

CUT_KEY = 511  # bytes of a key in the tree that stands for longer ones


class Corrupt(Exception):
    """An entry whose checksum is wrong."""


def body(key, value, path):
    """The value without its checksum, which is of the key and the rest and stands last."""
    rest, sum_bytes = value[:-4], value[-4:]
    if struct.pack("<I", crc32c(key + rest)) == sum_bytes:
        return rest
    # Format 1 has it first.
    if struct.pack("<I", crc32c(key + value[4:])) == value[:4]:
        return value[4:]
    raise Corrupt(f"{path}: the value of {key!r} has a wrong checksum")


def store(directory, name):
    """The entries of a store: key to payload (None: null)."""
    environment, found = Environment(directory / "data.mdb"), {}
    for key, value in environment.entries(f"store.{name}"):
        rest = body(key, value, directory)
        if len(key) < CUT_KEY:
            found[key[1:]] = None if rest[0] else rest[1:]
            continue
        at = 0
        while at < len(rest):
            key_count, payload_count, kind = struct.unpack_from("<IIB", rest, at)
            at += 9
            full = rest[at : at + key_count]
            found[full[1:]] = None if kind else rest[at + key_count : at + key_count + payload_count]
            at += key_count + payload_count
    return found


def numbers(directory, name):
    """The entries of a store from strings to int64."""
    return {key.decode(): struct.unpack(">q", payload)[0] for key, payload in store(directory, name).items()}


def source_positions(directory, topic):
    """The committed positions of a topic's partitions, by partition number."""
    environment, found = Environment(directory / "data.mdb"), {}
    for key, value in environment.entries("offsets"):
        rest = body(key, value, directory)[1:]
        _, offset, _, _, _ = struct.unpack_from(">BqiqQ", rest)
        if rest[29:] == topic.encode():
            found[struct.unpack_from(">i", key, 17)[0]] = offset
    return found
