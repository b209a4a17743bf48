"""Reads segment files without StreamJobs: what the crash and fault campaigns compare with."""

import ctypes
import struct

HEADER = struct.Struct(">qiibIhiqqqhii")  # record batch v2, 61 bytes
TABLE = []
for byte in range(256):
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    TABLE.append(byte)


class Damage(Exception):
    """Segments that do not follow on; the message says which."""


def isal():
    """ISA-L's function, which is some hundred times as fast, where the library can be found; else None."""
    try:
        function = ctypes.CDLL("libisal.so.2").crc32_iscsi
    except (OSError, AttributeError):
        return None
    function.argtypes, function.restype = (ctypes.c_char_p, ctypes.c_int, ctypes.c_uint), ctypes.c_uint
    return function


ISAL = isal()


def crc32c(data):
    crc = 0xFFFFFFFF
    if ISAL:
        return ISAL(data, len(data), crc) ^ 0xFFFFFFFF
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


def timed_records(batch, count, first_time):
    """Yields timestamp, key and value of each record behind the header."""
    at = HEADER.size
    for _ in range(count):
        length, at = varint(batch, at)
        end = at + length
        delta, at = varint(batch, at + 1)
        _, at = varint(batch, at)
        fields = [first_time + delta]
        for _ in range(2):
            number, at = varint(batch, at)
            fields.append(None if number < 0 else batch[at : at + number])
            at += max(number, 0)
        yield fields
        at = end


class Batch:
    """The fields of a header that are used, and the bytes."""

    def __init__(self, data, at):
        (self.base, length, _, self.magic, self.crc, self.attributes, self.delta, self.first_time, _,
         self.producer, self.epoch, _, self.count) = HEADER.unpack_from(data, at)  # fmt: skip
        self.bytes = data[at : at + 12 + length]
        self.is_whole = self.magic == 2 and len(self.bytes) == 12 + length and crc32c(self.bytes[21:]) == self.crc
        self.is_marker, self.is_transactional = bool(self.attributes & 0x20), bool(self.attributes & 0x10)

    def records(self):
        return timed_records(self.bytes, self.count, self.first_time)


def batches(folder):
    """Yields the batches of a partition in order, up to a torn tail; whatever lies behind one does not count."""
    expected = None
    for path in sorted(folder.glob("*.log")):
        data, at = path.read_bytes(), 0
        while at + HEADER.size <= len(data):
            batch = Batch(data, at)
            if not batch.is_whole:
                return
            if expected is not None and batch.base != expected:
                raise Damage(f"{path} has offset {batch.base} at byte {at}, not {expected}")
            expected = batch.base + batch.delta + 1
            at += len(batch.bytes)
            yield batch
        if at < len(data):
            return


def committed_timed(folder):
    """Returns (timestamp, key, value) of a partition's records in order, uncompressed batches only, and how many are
    in undecided transactions. Those of aborted ones are left out. Raises where an epoch is used twice."""
    seen, pending, epochs = [], {}, {}
    for batch in batches(folder):
        if batch.is_marker:
            key = next(batch.records())[1]
            _, records = pending.pop(batch.producer, (None, []))
            seen += records if key[3] == 1 else []
        elif batch.is_transactional:
            if batch.producer not in pending:
                if batch.epoch <= epochs.get(batch.producer, -1):
                    raise Damage(
                        f"{folder} offset {batch.base}: producer {batch.producer} uses epoch {batch.epoch} twice"
                    )
                pending[batch.producer] = batch.epoch, []
                epochs[batch.producer] = batch.epoch
            epoch, records = pending[batch.producer]
            if epoch != batch.epoch:
                raise Damage(f"{folder} offset {batch.base}: epoch {batch.epoch} within a transaction of {epoch}")
            records += batch.records()
        else:
            seen += batch.records()
    return seen, sum(len(records) for _, records in pending.values())


def committed(folder):
    """As `committed_timed`, without the timestamps."""
    records, undecided = committed_timed(folder)
    return [(key, value) for _, key, value in records], undecided
