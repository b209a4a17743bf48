"""What a disk may hold after a power loss: made of what Tests/FaultShim/recorder.c has recorded.

The rules are POSIX's, not a file system's: a file's bytes are there if an fsync or fdatasync of it has ended, or if
they were written with O_DSYNC; a name (made, renamed, removed) is there if its directory was synced. All else is there,
or not, or in part: writes by sectors of 512 bytes or pages of 4096, in any order; names of one directory in order.
"""

import struct

RECORD = struct.Struct("<IIQQQIIQ")
CREATE, WRITE, TRUNCATE, ALLOCATE, SYNC, RENAME, UNLINK, MKDIR, RMDIR = range(1, 10)
KEEP_SIZE = 1  # of fallocate
DURABLE = 1  # flag of a write
ROOT = 0  # the directory itself


class Change:
    """A change of a file that may be lost, unless `is_durable`."""

    def __init__(self, kind, at, data=b"", is_durable=False):
        self.kind, self.at, self.data, self.is_durable = kind, at, data, is_durable


class File:
    def __init__(self):
        self.durable, self.pending = bytearray(), []

    def sync(self):
        for change in self.pending:
            apply(self.durable, change)
        self.pending = []

    def content(self, fate):
        """The bytes after a power loss; `fate` says what becomes of a change: the pieces of it that are kept."""
        bytes_ = bytearray(self.durable)
        for change in self.pending:
            if change.is_durable:
                apply(bytes_, change)
            else:
                for kept in fate(change):
                    apply(bytes_, kept)
        return bytes_


def apply(content, change):
    if change.kind == WRITE:
        end = change.at + len(change.data)
        if len(content) < change.at:
            content.extend(bytes(change.at - len(content)))
        content[change.at : end] = change.data
    elif change.at < len(content):
        if change.kind == TRUNCATE:
            del content[change.at :]
    else:
        content.extend(bytes(change.at - len(content)))


class Names:
    """The names of a directory: as programs see them, as they surely are on the disk, and what is between."""

    def __init__(self):
        self.live, self.durable, self.pending = {}, {}, []

    def change(self, time, *entries):
        """Entries of (name, inode or None), that happen together or not at all."""
        for name, inode in entries:
            set_name(self.live, name, inode)
        self.pending.append((time, entries))

    def sync(self):
        self.durable, self.pending = dict(self.live), []

    def names(self, is_kept):
        found = dict(self.durable)
        for time, entries in self.pending:
            if not is_kept(time):
                break
            for name, inode in entries:
                set_name(found, name, inode)
        return found


def set_name(names, name, inode):
    if inode is None:
        names.pop(name, None)
    else:
        names[name] = inode


class Disk:
    """The state at a moment of a recording, which is gone through once from its beginning."""

    def __init__(self, directory):
        self.prefix = str(directory)
        self.files, self.directories = {}, {ROOT: Names()}
        self.time = 0

    def play(self, record, path, other, data):
        """Takes the next record."""
        kind, flags, inode, at, length = record
        self.time += 1
        if kind in (CREATE, MKDIR) and path == self.prefix:
            # The directory itself is there.
            self.directories[inode] = self.directories[ROOT]
        elif kind in (CREATE, MKDIR):
            names, name = self._place(path)
            if kind == MKDIR:
                self.directories[inode] = Names()
            else:
                self.files[inode] = File()
            names.change(self.time, (name, inode))
        elif kind in (UNLINK, RMDIR):
            names, name = self._place(path)
            names.change(self.time, (name, None))
        elif kind == RENAME:
            names, name = self._place(path)
            others, other_name = self._place(other)
            inode = names.live[name]
            if others is names:
                names.change(self.time, (name, None), (other_name, inode))
            else:
                others.change(self.time, (other_name, inode))
                names.change(self.time, (name, None))
        elif kind == SYNC:
            (self.files.get(inode) or self.directories[inode]).sync()
        elif kind == ALLOCATE:
            # Room alone is not seen in a file.
            if not flags & KEEP_SIZE:
                raise ValueError("an allocation that changes the length is not known")
        else:
            self.files[inode].pending.append(Change(kind, at, data, bool(flags & DURABLE)))

    def _place(self, path):
        """The directory of a path, and its name there."""
        parts = path[len(self.prefix) :].strip("/").split("/")
        names = self.directories[ROOT]
        for part in parts[:-1]:
            names = self.directories[names.live[part]]
        return names, parts[-1]

    @property
    def unsynced(self):
        """How many changes may be lost now."""
        return sum(len(file.pending) for file in self.files.values()) + sum(
            len(names.pending) for names in self.directories.values()
        )

    def image(self, target, chance):
        """Writes one of the states that the disk may be in to a new directory; says which kind it is."""
        mood = chance.choice(("none", "all", "some", "some", "some", "torn", "torn", "one lost"))
        limit = self.time if mood == "all" else 0 if mood == "none" else chance.randint(0, self.time)
        by_directory = {}

        def is_kept(directory):
            # Names reach a disk in the order of a journal, or of each directory alone.
            if mood in ("all", "none") or chance_is_shared:
                return lambda time: time <= limit
            own = by_directory.setdefault(directory, chance.randint(0, self.time))
            return lambda time: time <= own

        chance_is_shared = chance.random() < 0.5
        changes = sum(len(file.pending) for file in self.files.values())
        lost_one = chance.randrange(changes) if changes else 0
        counter = iter(range(changes))

        def fate(change):
            place = next(counter)
            if mood == "all" or (mood == "one lost" and place != lost_one):
                return [change]
            if mood in ("none", "one lost"):
                return []
            if mood == "some" or change.kind != WRITE:
                return [change] if chance.random() < 0.5 else []
            return torn(change, chance)

        self._write(self.directories[ROOT], ROOT, target, is_kept, fate)
        return mood

    def _write(self, names, inode, target, is_kept, fate):
        target.mkdir()
        for name, child in sorted(names.names(is_kept(inode)).items()):
            if child in self.directories:
                self._write(self.directories[child], child, target / name, is_kept, fate)
            else:
                (target / name).write_bytes(self.files[child].content(fate))


def torn(change, chance):
    """Some of a write's sectors or pages; or their length alone, with zeros."""
    unit = chance.choice((512, 4096))
    kept, at, end = [], change.at, change.at + len(change.data)
    if chance.random() < 0.2:
        return [Change(ALLOCATE, end)]
    while at < end:
        stop = min(end, (at // unit + 1) * unit)
        if chance.random() < 0.5:
            kept.append(Change(WRITE, at, change.data[at - change.at : stop - change.at]))
        at = stop
    return kept


def records(path, start=0):
    """Yields ((kind, flags, inode, at, length), path, other path, data) and the position behind each; a torn tail is
    left out."""
    data, at = path.read_bytes(), start
    while at + RECORD.size <= len(data):
        kind, flags, inode, place, length, path_count, other_count, data_count = RECORD.unpack_from(data, at)
        at += RECORD.size
        end = at + path_count + other_count + data_count
        if end > len(data):
            return
        first = data[at : at + path_count].decode()
        other = data[at + path_count : at + path_count + other_count].decode()
        yield (kind, flags, inode, place, length), first, other, data[end - data_count : end], end
        at = end
