public import LocalState
public import StreamJobsLog

extension ExpiringStore {
    /// The event time from which on the entry of a key is gone; nil if it has none, or none any more.
    public func expiry(of key: Key) throws -> Timestamp? {
        try expiryMilliseconds(of: key).map { Timestamp(milliseconds: $0) }
    }
}
