// The control record that ends a transaction in a partition (Kafka: EndTransactionMarker,
// ControlRecordType).
//
//  key:   version int16 (0), type int16 (0 abort, 1 commit)
//  value: version int16 (0), coordinator epoch int32

/// How a transaction ended.
package enum TransactionMarker: Int16, Sendable {
    case abort = 0
    case commit = 1

    /// Gives key and value of the control record.
    func withRecord(_ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Void) {
        let key: [UInt8] = [0, 0, 0, UInt8(rawValue)]
        let value: [UInt8] = [0, 0, 0, 0, 0, 0]
        key.withUnsafeBytes { key in value.withUnsafeBytes { value in body(key, value) } }
    }

    /// From the value of a marker; 0 where it is of a form that this version does not know.
    package static func coordinatorEpoch(value: UnsafeRawBufferPointer?) -> Int32 {
        guard let value, value.count >= 6 else { return 0 }
        return value.loadBigEndian(Int32.self, at: 2)
    }

    /// From the key of a control record; nil for control records of other kinds, which are skipped.
    package init?(key: UnsafeRawBufferPointer) {
        guard key.count >= 4 else { return nil }
        self.init(rawValue: key.loadBigEndian(Int16.self, at: 2))
    }
}
