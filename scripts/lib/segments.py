"""Reads segment files without StreamJobs: what the crash and fault campaigns compare with."""

import struct

HEADER = struct.Struct(">qiibIhiqqqhii")  # record batch v2, 61 bytes
TABLE = []
for byte in range(256):
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    TABLE.append(byte)


class Damage(Exception):
    """Segments that do not follow on; the message says which."""


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def varint(data, at):
    """Reads a zigzag number; returns it and the position behind."""
    number = shift = 0
    while True:
        number |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return number >> 1 ^ -(number & 1), at


def batch_records(batch, count):
    """Yields key and value of each record behind the header."""
    at = HEADER.size
    for _ in range(count):
        length, at = varint(batch, at)
        end = at + length
        at += 1
        fields = []
        for is_bytes in (False, False, True, True):  # timestamp, offset, key, value
            number, at = varint(batch, at)
            if not is_bytes:
                continue
            fields.append(None if number < 0 else batch[at : at + number])
            at += max(number, 0)
        yield fields
        at = end


def committed(folder):
    """Returns (key, value) of a partition's records in order, uncompressed batches only, and how many are
    in undecided transactions. Those of aborted ones are left out."""
    seen, pending, expected = [], {}, None
    for path in sorted(folder.glob("*.log")):
        data, at = path.read_bytes(), 0
        while at + HEADER.size <= len(data):
            base, length, _, magic, crc, attributes, delta, _, _, producer, _, _, count = (
                HEADER.unpack_from(data, at)
            )
            batch = data[at : at + 12 + length]
            if magic != 2 or len(batch) < 12 + length or crc32c(batch[21:]) != crc:
                break  # a torn tail; whatever lies behind does not count
            if expected is not None and base != expected:
                raise Damage(f"{path} has offset {base} at byte {at}, not {expected}")
            expected = base + delta + 1
            at += 12 + length
            if attributes & 0x20:
                key = next(batch_records(batch, count))[0]
                ended = pending.pop(producer, [])
                seen += ended if key[3] == 1 else []
            elif attributes & 0x10:
                pending.setdefault(producer, []).extend(batch_records(batch, count))
            else:
                seen += batch_records(batch, count)
        if at < len(data):
            break
    return seen, sum(map(len, pending.values()))
