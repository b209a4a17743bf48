"""Reads data.mdb without LMDB and without StreamJobs: what the crash campaign compares the stores with.

The file is LMDB's format, version 1, of a machine with 64 bits and 4096-byte pages. Nobody may be writing to it.
"""

import struct

PAGE = 4096
MAGIC = 0xBEEFC0DE
HEADER = struct.Struct("<QHHHH")  # page number, pad, flags, lower, upper
DATABASE = struct.Struct("<IHHQQQQQ")  # pad, flags, depth, branch, leaf, overflow pages, entries, root
NONE = 2**64 - 1
BRANCH, LEAF = 1, 2
BIG, SUB_DATABASE = 1, 2  # flags of a node


class Unreadable(Exception):
    """A file that is not what LMDB writes; the message says where."""


class Environment:
    def __init__(self, path):
        self.path, self.data = path, path.read_bytes()
        metas = [meta for meta in (self._meta(0), self._meta(1)) if meta]
        if not metas:
            raise Unreadable(f"{path} has no meta page")
        self.transaction, self.main = max(metas)

    def _meta(self, page):
        start = page * PAGE + 16
        if len(self.data) < start + 152:
            return None
        magic, version, _, _ = struct.unpack_from("<IIQQ", self.data, start)
        if magic != MAGIC or version != 1:
            return None
        _, transaction = struct.unpack_from("<QQ", self.data, start + 24 + 2 * DATABASE.size)
        return transaction, DATABASE.unpack_from(self.data, start + 24 + DATABASE.size)

    def databases(self):
        """The named databases: name to its record."""
        return {
            bytes(key): DATABASE.unpack(value)
            for key, value, flags in self._walk(self.main[7])
            if flags & SUB_DATABASE
        }

    def entries(self, name):
        """Key and value of each entry of a named database, in order; none where it is not there."""
        database = self.databases().get(name.encode())
        return [(key, value) for key, value, _ in self._walk(database[7])] if database else []

    def leaf_pages(self, name):
        """The numbers of the pages with a database's entries."""
        database = self.databases()[name.encode()]
        return [page for page, flags in self._pages(database[7]) if flags & LEAF]

    def _page(self, number):
        start = number * PAGE
        if start + PAGE > len(self.data):
            raise Unreadable(f"{self.path}: page {number} lies behind the end")
        found, _, flags, lower, _ = HEADER.unpack_from(self.data, start)
        if found != number or not flags & (BRANCH | LEAF) or not 16 <= lower <= PAGE:
            raise Unreadable(f"{self.path}: page {number} is none")
        nodes = struct.unpack_from(f"<{(lower - 16) // 2}H", self.data, start + 16)
        return start, flags, nodes

    def _pages(self, root):
        if root == NONE:
            return
        start, flags, nodes = self._page(root)
        yield root, flags
        if flags & BRANCH:
            for node in nodes:
                low, high, node_flags, _ = struct.unpack_from("<HHHH", self.data, start + node)
                yield from self._pages(low | high << 16 | node_flags << 32)

    def _walk(self, root):
        """Key, value and flags of each entry."""
        for page, flags in self._pages(root):
            if not flags & LEAF:
                continue
            start, _, nodes = self._page(page)
            for node in nodes:
                at = start + node
                low, high, node_flags, key_size = struct.unpack_from("<HHHH", self.data, at)
                size, begin = low | high << 16, at + 8 + key_size
                key = self.data[at + 8 : begin]
                if node_flags & BIG:
                    begin = struct.unpack_from("<Q", self.data, begin)[0] * PAGE + 16
                yield key, self.data[begin : begin + size], node_flags
