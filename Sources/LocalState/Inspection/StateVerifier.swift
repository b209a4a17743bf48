// Verifies the state of one task: the file's length, every page of every tree, every checksum, and what keys and
// values say by the names of their formats. Reads without LMDB, so that nothing that it meets can kill the
// process; goes on behind what is damaged, so that all of it is told.

/// Verifies one environment. Belongs to one thread; used once.
package struct StateVerifier {
    private let directory: String
    /// nil: all stores and tables, and what is free.
    private let onlyStore: String?
    private let report: (StateFinding) throws -> Void
    /// Called about every megabyte.
    private let check: () throws -> Void
    private var summary = StateVerificationSummary()
    private var used = PageSet(count: 0)

    /// - Parameter check: called now and then; what it throws ends the verification.
    package init(
        directory: String, store: String? = nil, check: @escaping () throws -> Void = {},
        report: @escaping (StateFinding) throws -> Void
    ) {
        self.directory = directory
        onlyStore = store
        self.check = check
        self.report = report
    }

    /// Throws what cannot be read at all (no permission, I/O), and what `check` and `report` throw.
    package mutating func verify() throws -> StateVerificationSummary {
        do {
            guard let file = try InspectedFile(directory: directory) else {
                try note("nothing was ever committed here")
                return summary
            }
            defer { file.close() }
            try verify(file)
        } catch let failure as StateError where failure.code == .corrupted {
            // The pages that the others are found by; or a damage that is in the way of a description.
            try found(.damage, nil, nil, failure.message)
        }
        return summary
    }

    private mutating func verify(_ file: InspectedFile) throws {
        let meta = file.meta
        let pageCount = UInt64(file.data.byteCount / file.data.pageBytes)
        used = PageSet(count: Int(min(meta.lastPage + 1, pageCount)))
        var trees: [String: TreeRecord] = [:]
        try walk(meta.main, "the list of databases", in: file) { name, value, page, isDatabase in
            let name = String(decoding: name, as: UTF8.self)
            guard isDatabase, value.count == TreeRecord.byteCount else {
                return "'\(name)' is no database"
            }
            trees[name] = TreeRecord(value, at: 0)
            return nil
        }
        let stores = try verifyDescriptions(trees, in: file)
        for (name, tree) in trees.sorted(by: { $0.key < $1.key }) where name != "stores" {
            let store = stores.first { "store." + $0.name == name }
            guard onlyStore == nil || onlyStore == store?.name else { continue }
            if store != nil { summary.stores += 1 }
            try verify(tree, named: name, store, in: file)
        }
        guard onlyStore == nil else { return }
        try verifyFreePages(meta, pageCount, in: file)
    }

    // MARK: Descriptions

    private mutating func verifyDescriptions(
        _ trees: [String: TreeRecord], in file: InspectedFile
    ) throws -> [StoreDescription] {
        var stores: [StoreDescription] = []
        guard let tree = trees["stores"] else {
            try found(.damage, nil, nil, "the table of store descriptions is missing")
            return []
        }
        try walk(tree, "table 'stores'", in: file) { key, value, _, _ in
            guard let entries = StoredValue.copies(key: key, value: value) else {
                return
                    "the description of \(describeBytes(key.dropFirst())) is damaged: its checksum "
                    + "does not match"
            }
            for entry in entries where entry.key.starts(with: "store.".utf8) {
                guard let description = entry.payload.flatMap(StoreDescription.init(encoded:))
                else {
                    return "the description of \(describeBytes(entry.key)) is none"
                }
                stores.append(description)
            }
            return nil
        }
        for (name, tree) in trees where name.hasPrefix("store.") && tree.entries > 0 {
            guard !stores.contains(where: { "store." + $0.name == name }) else { continue }
            try found(.damage, nil, name, "\(tree.entries) entries of a store without description")
        }
        return stores
    }

    // MARK: Entries

    private mutating func verify(
        _ tree: TreeRecord, named name: String, _ store: StoreDescription?, in file: InspectedFile
    ) throws {
        let label = store.map { "store '\($0.name)'" } ?? "table '\(name)'"
        let keyForm = store.map { JSONForm.keys(named: $0.keyCodec) }
        let valueForm = store.map { JSONForm.values(named: $0.valueSerde) }
        var count: UInt64 = 0
        try walk(tree, label, in: file) { key, value, _, isDatabase in
            // LMDB would refuse to read it.
            guard !isDatabase else {
                return "the value of key \(describeBytes(key.dropFirst())) is said to be a database"
            }
            guard key.first == Limits.keyPrefix else {
                return "the key \(describeBytes(key)) is none of a store's"
            }
            guard let entries = StoredValue.copies(key: key, value: value) else {
                return
                    "the value of key \(describeBytes(key.dropFirst())) is damaged: its checksum does "
                    + "not match"
            }
            if let fault = Self.bucketFault(key, entries) { return fault }
            count += UInt64(entries.count)
            for entry in entries {
                if let fault = Self.formatFault(entry, keyForm, valueForm) { return fault }
            }
            return nil
        }
        summary.entries += count
    }

    /// What is wrong with the entries that share a stored key.
    private static func bucketFault(_ key: [UInt8], _ entries: [InspectedEntry]) -> String? {
        guard KeyEncoding.isCut(storedKeyCount: key.count) else { return nil }
        let name = describeBytes(key.dropFirst())
        if entries.isEmpty { return "no entry is left under the key \(name)" }
        for (number, entry) in entries.enumerated() {
            let fullKey = [Limits.keyPrefix] + entry.key
            let isHere =
                KeyEncoding.isCut(fullKeyCount: fullKey.count)
                && fullKey.withUnsafeBytes { KeyEncoding.cut($0) } == key
            guard isHere else { return "an entry of another key stands under \(name)" }
            if number > 0, !entries[number - 1].key.precedes(entry.key) {
                return "the entries under \(name) are not in order"
            }
        }
        return nil
    }

    private static func formatFault(
        _ entry: InspectedEntry, _ keyForm: JSONForm?, _ valueForm: JSONForm?
    ) -> String? {
        do {
            _ = try keyForm?.json(of: entry.key.span.bytes)
            if let payload = entry.payload { _ = try valueForm?.json(of: payload.span.bytes) }
            return nil
        } catch {
            return
                "the entry of key \(describeBytes(entry.key)) is intact but cannot be read: \(error)"
        }
    }

    // MARK: Pages

    /// Reports what is wrong with the pages of a tree, and what `entry` says of its entries.
    private mutating func walk(
        _ tree: TreeRecord, _ label: String, in file: InspectedFile,
        _ entry: ([UInt8], [UInt8], _ page: UInt64, _ isDatabase: Bool) throws -> String?
    ) throws {
        var walk = TreeWalk(tree, in: file, used: used)
        let report = report
        let path = file.path
        var damages = 0
        defer {
            used = walk.used
            summary.pages += walk.pages
            summary.damages += damages
        }
        try walk.walk(check: check) { page, message in
            try file.checkUnchanged()
            damages += 1
            try report(
                StateFinding(kind: .damage, path: path, page: page, table: label, message: message))
        } entry: { key, value, page, isDatabase in
            try entry(key, value, page, isDatabase)
        }
    }

    private mutating func verifyFreePages(
        _ meta: DataFile.Meta, _ pageCount: UInt64, in file: InspectedFile
    ) throws {
        // Pages that the file lacks are free and in the list: a list within the file cannot name more.
        let missingMax = UInt64(file.data.byteCount / MemoryLayout<UInt64>.size)
        guard meta.lastPage < pageCount + missingMax else {
            return try found(
                .damage, nil, nil,
                "it ends at byte \(file.data.byteCount), but its last page is said to be number "
                    + "\(meta.lastPage)")
        }
        var free = PageSet(count: Int(meta.lastPage) + 1)
        var freeCount: UInt64 = 0
        var faults: [String] = []
        try walk(meta.free, "the list of free pages", in: file) { _, value, _, _ in
            do {
                for page in try DataFile.pageNumbers(value) {
                    guard page >= 2, page <= meta.lastPage else {
                        return "page \(page) is said to be free, but there is none"
                    }
                    guard free.insert(page) else { return "page \(page) is said to be free twice" }
                    freeCount += 1
                }
                return nil
            } catch let fault as PageFault {
                return fault.message
            }
        }
        for page in 2...max(2, meta.lastPage) where free.contains(page) && used.contains(page) {
            faults.append("page \(page) is in use, but said to be free: it would be written over")
        }
        for fault in faults { try found(.damage, nil, "the list of free pages", fault) }
        var missing: UInt64 = 0
        var unknown: UInt64 = 0
        for page in stride(from: 2, through: meta.lastPage, by: 1) where !free.contains(page) {
            if page >= pageCount { missing += 1 } else if !used.contains(page) { unknown += 1 }
        }
        if missing > 0, summary.damages == 0 {
            try found(
                .damage, nil, nil,
                "it ends at byte \(file.data.byteCount), \(missing) pages before its last one")
        }
        if unknown > 0, summary.damages == 0 {
            try note("\(unknown) pages are neither in use nor free: they are wasted")
        }
    }

    // MARK: Findings

    private mutating func note(_ message: String) throws { try found(.note, nil, nil, message) }

    private mutating func found(
        _ kind: StateFinding.Kind, _ page: UInt64?, _ table: String?, _ message: String
    ) throws {
        if kind == .damage { summary.damages += 1 } else { summary.notes += 1 }
        let path = directory + "/data.mdb"
        // Errors of reading name the file themselves.
        let message =
            message.hasPrefix(path) ? String(message.dropFirst(path.utf8.count + 1)) : message
        try report(
            StateFinding(kind: kind, path: path, page: page, table: table, message: message))
    }
}
