// All sizes, limits and defaults of local state, each with its unit and its reason.
// Those marked "format" are part of the bytes on disk: changing one needs a new format version.

/// The sizes, limits and defaults of local state.
@usableFromInline
package enum Limits {
    /// Version of the layout of an environment. Data of a higher one is refused at open. (format)
    package static let formatVersion: Int64 = 2

    // MARK: Keys

    /// Longest key that LMDB stores, in bytes (`MDB_MAXKEYSIZE` as Debian and Ubuntu build it).
    package static let lmdbKeyBytesMax = 511
    /// Before every key stands this byte, because LMDB refuses empty keys. Other values are kept
    /// free for records of a later format that belong to a store but to none of its keys. (format)
    package static let keyPrefix: UInt8 = 0x01
    /// Length of the prefix of a key, in bytes. (format)
    package static let keyPrefixBytes = 1
    /// Longest key, prefix included, that is stored as it is, in bytes: one less than LMDB's limit,
    /// so that the length alone tells a cut key (always 511 bytes) from a whole one. (format)
    package static let wholeKeyBytesMax = lmdbKeyBytesMax - 1
    /// Bytes of the hash at the end of a cut key. Colliding keys share a bucket, so that the hash
    /// decides about speed only, never about equality. (format)
    package static let keyHashBytes = 16
    /// Leading bytes, prefix included, of a longer key that are kept in front of its hash. Keys
    /// that are equal up to here are put into order in memory by scans. (format)
    package static let keyLeadBytes = lmdbKeyBytesMax - keyHashBytes
    /// Bytes of a key that an error message shows at most: enough to recognise it.
    package static let describedKeyBytesMax = 64

    // MARK: Values

    /// Largest key or value of a store, in bytes. LMDB takes 4 GiB; lengths within a bucket are
    /// 32 bits and a commit holds its values in memory, so that 1 GiB is already a mistake.
    package static let recordBytesMax = 1 << 30

    // MARK: JSON

    /// How deep JSON may be nested that is shown or read back: enough for what people write, and far
    /// from the end of a thread's stack.
    package static let jsonDepthMax = 200
    /// How deep the name of a format may be nested.
    package static let formatDepthMax = 20

    // MARK: Expiry

    /// Entries of a store that a commit looks at, at least, for those that have expired: some tens of
    /// microseconds.
    package static let sweepEntriesMin = 256
    /// For each entry that an interval has written, the commit looks at so many. If W entries are
    /// written in each interval and live ones are N, a round takes (N + expired) / 2W commits, in which
    /// W (N + expired) / 2W expire: so there are never more expired entries than live ones, about.
    package static let sweepEntriesPerWrite = 2

    // MARK: Memory

    /// Bytes that the entries of an environment may take in memory, where its owner says nothing: enough for
    /// a million counters.
    package static let memoryBytesMax = 64 << 20
    /// Part of it that dirty entries may take before their owner should commit: a half, since the other may
    /// be clean.
    package static let dirtyPart = 2
    /// Slots of a table at first; a power of two.
    @usableFromInline package static let tableSlotsMin = 16
    /// Bytes of a huge page of x86-64 and of ARM with pages of 4 KiB.
    package static let hugePageBytes = 2 << 20
    /// Tables from this size on ask for huge pages: smaller ones would waste a part of one.
    package static let hugeTableBytesMin = 4 << 20
    /// Of values whose size their type does not tell, one of so many that are written is measured: a
    /// sixty-fourth of what encoding costs.
    @usableFromInline package static let measuredWritesInterval = 64
    /// Buffers of keys up to this size are kept from one commit to the next.
    package static let keptBufferBytes = 64 << 10
    /// So many items are sorted by insertion: a radix sort of fewer does more than that.
    package static let smallSortItems = 32

    // MARK: Scans

    /// Entries that a scan reads ahead at first, and at most: a short scan is not to read what nobody wants,
    /// a long one is to work in runs that stay in the processor's first cache.
    package static let scanChunkEntriesMin = 16
    package static let scanChunkEntriesMax = 256

    // MARK: LMDB

    /// Address space reserved for an environment at first, in bytes. It costs neither memory nor
    /// disk (the file grows as it is written), and growing later means remapping. 64 GiB times
    /// 2,000 tasks still fit into the 128 TiB of a process.
    package static let mapBytes = 64 << 30
    /// Where so much address space is refused (`ulimit -v`, containers), it is halved down to this.
    package static let mapBytesMin = 64 << 20
    /// A full map grows by this factor between transactions, and the commit is tried again.
    package static let mapGrowthFactor = 2
    /// A map never grows beyond this (16 TiB: what ext4 allows a file).
    package static let mapBytesMax = 16 << 40
    /// Readers of an environment at a time: the task itself, queries, backups. LMDB's default.
    package static let readersMax: UInt32 = 126
    /// Bytes of a lock file: LMDB's header and a cache line for each reader, and no less.
    static let lockFileBytes = 16 << 10
    /// Bytes that a copy reads and writes at a time, and the unit in which it leaves holes: a page of any size
    /// is a part or a multiple of it.
    package static let copyBytes = 1 << 20
    package static let copyHoleBytes = 4096
    /// Levels of a tree at most: what LMDB's cursors have room for (`CURSOR_STACK`).
    package static let treeDepthMax = 32
    /// Attempts to pin a commit whose owner grows the map meanwhile, which it does once in a doubling.
    package static let pinTriesMax = 8
    /// A write that fails on a disk with less free space, in bytes, failed for want of it.
    package static let diskFullBytes: UInt64 = 1 << 20
    /// Smallest and largest page size that LMDB can have written, in bytes.
    package static let pageBytesMin = 512
    package static let pageBytesMax = 65536
}
