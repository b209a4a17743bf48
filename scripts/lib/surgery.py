"""What scripts/damage does to a data directory at rest, and what may come of it."""

import shutil
import struct

import segments
from ledger import Failure
from lmdb_file import PAGE, Environment

RIGHT, REFUSED = "right", "refused"  # the results, or an error that names what is wrong and changes nothing


class Surgery:
    """`operate` damages the directory and says what it did; None where there was nothing to damage. `outcomes` are those
    that may come of it, `sentence` what a refusal must say."""

    def __init__(self, name, operate, outcomes, sentence="", fault=""):
        self.name, self.operate, self.outcomes = name, operate, outcomes
        self.sentence, self.fault = sentence, fault


def tasks(data):
    return sorted(path for path in (data / "state/ledger").glob("*-[0-9]*") if (path / "data.mdb").is_file())


def flip_bit(data, chance):
    """Anywhere in a page that is in use."""
    path = chance.choice(tasks(data)) / "data.mdb"
    content = bytearray(path.read_bytes())
    at = chance.randrange(len(content))
    content[at] ^= 1 << chance.randrange(8)
    path.write_bytes(content)
    return f"{path} byte {at}"


def flip_value(data, chance):
    """In a leaf page of a store."""
    path = chance.choice(tasks(data)) / "data.mdb"
    environment = Environment(path)
    names = [name.decode() for name in environment.databases() if name.startswith(b"store.")]
    pages = [page for name in sorted(names) for page in environment.leaf_pages(name)]
    if not pages:
        return None
    content = bytearray(path.read_bytes())
    at = chance.choice(pages) * PAGE + chance.randrange(16, PAGE)
    content[at] ^= 1 << chance.randrange(8)
    path.write_bytes(content)
    return f"{path} byte {at}"


def truncate_data(data, chance):
    path = chance.choice(tasks(data)) / "data.mdb"
    content = path.read_bytes()
    length = chance.choice((0, 1, PAGE, 2 * PAGE, chance.randrange(len(content)), len(content) - 1))
    path.write_bytes(content[:length])
    return f"{path} to {length} of {len(content)} bytes"


def spoil_lock(data, chance):
    path = chance.choice(tasks(data)) / "lock.mdb"
    how = chance.choice(("garbage", "gone", "empty", "short"))
    if how == "gone":
        path.unlink()
    else:
        size = {"garbage": path.stat().st_size, "empty": 0, "short": 100}[how]
        path.write_bytes(chance.randbytes(size))
    return f"{path}: {how}"


def remove_state(data, chance):
    place = chance.choice((data / "state", data / "state/ledger", chance.choice(tasks(data))))
    shutil.rmtree(place)
    return str(place)


def exchange_states(data, chance):
    """The states of two tasks of one kind."""
    kind = chance.choice(("Ledger", "WindowTotals"))
    one, other = chance.sample([path for path in tasks(data) if path.name.startswith(kind)], 2)
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)
    return f"{one} and {other}"


def old_state(data, chance):
    """Of one task, or of all."""
    old = data.parent / "older/state/ledger"
    chosen = tasks(data) if chance.random() < 0.5 else [chance.choice(tasks(data))]
    for task in chosen:
        shutil.rmtree(task)
        shutil.copytree(old / task.name, task)
    return ", ".join(task.name for task in chosen)


def old_log(data, chance):
    """All of the data but the state."""
    kept = data.parent / "kept"
    (data / "state").rename(kept)
    shutil.rmtree(data)
    shutil.copytree(data.parent / "older", data)
    shutil.rmtree(data / "state")
    kept.rename(data / "state")
    return "the log of an earlier copy"


def remove_checkpoints(data, chance):
    """What the log can make again."""
    names = ("recovery-points", "clean-shutdown", "*-*/segments", "*-*/*.index", "*-*/*.timeindex", "*-*/*.snapshot",
             "*-*/*.txnindex", "*-*/leader-epoch-checkpoint")  # fmt: skip
    chosen = [name for name in names if chance.random() < 0.5]
    removed = [path for name in chosen for path in sorted(data.glob(name)) if chance.random() < 0.7]
    for path in removed:
        path.unlink()
    return f"{len(removed)} files: {', '.join(chosen)}" if removed else None


def remove_segment(data, chance):
    """One that is neither the first nor the last of its partition."""
    middles = [path for folder in sorted(data.glob("*-[0-9]")) for path in sorted(folder.glob("*.log"))[1:-1]]
    if not middles:
        return None
    path = chance.choice(middles)
    path.unlink()
    return str(path)


def newer_format(data, chance):
    """The state says that a later version has written it."""
    path = chance.choice(tasks(data)) / "data.mdb"
    environment = Environment(path)
    found = [(key, value) for key, value in environment.entries("stores") if key == b"\1format"]
    if not found:
        return None
    key, value = found[0]
    payload = struct.pack(">q", struct.unpack(">q", value[1:9])[0] + 1)
    body = value[:1] + payload
    newer = body + struct.pack("<I", segments.crc32c(key + body))
    content = path.read_bytes()
    if content.count(key + value) == 0:
        raise Failure(f"{path}: the format is not where it is expected")
    path.write_bytes(content.replace(key + value, key + newer))
    return str(path)


def nothing(data, chance):
    return "the program declares another version"


SURGERIES = [
    Surgery("a bit of data.mdb", flip_bit, (RIGHT, REFUSED)),
    Surgery("a bit of a store's page", flip_value, (RIGHT, REFUSED)),
    Surgery("data.mdb cut short", truncate_data, (RIGHT, REFUSED)),
    Surgery("lock.mdb", spoil_lock, (RIGHT,)),
    Surgery("state gone", remove_state, (REFUSED,), "older than the log, or missing|is missing"),
    Surgery("states exchanged", exchange_states, (REFUSED,)),
    # Right where the task has not committed since.
    Surgery("older state", old_state, (RIGHT, REFUSED), r"older than the log.*commit \d+ in the state, \d+ in the log"),
    Surgery("older log", old_log, (REFUSED,), r"older than the state|newer than the log|is not there|begins|ends at"),
    Surgery("checkpoints gone", remove_checkpoints, (RIGHT,)),
    Surgery("a segment gone", remove_segment, (REFUSED,), r"\.log"),
    Surgery("newer format", newer_format, (REFUSED,), "newer"),
    Surgery("another store version", nothing, (REFUSED,), "balances", fault="CAMPAIGN_STORE_VERSION"),
]
