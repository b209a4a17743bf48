// What keys and values take outside of their slots, as far as their type tells: nothing, or its bytes. Of
// others (JSON) a store encodes one now and then and takes the average.

/// Bytes that values of a type take outside of their slots.
@usableFromInline
enum PayloadSize<Value> {
    /// A header of the memory's allocator and of the object in it.
    @inlinable static var overhead: Int { 48 }
    /// Strings up to this length lie in their slot.
    @inlinable static var inlineStringBytes: Int { 15 }

    /// Nothing is outside.
    @inlinable
    static var isInline: Bool { _isPOD(Value.self) }

    /// Whether ``bytes(of:)`` tells.
    @inlinable
    static var isTold: Bool {
        isInline || Value.self == String.self || Value.self == [UInt8].self
            || Value.self == String?.self || Value.self == [UInt8]?.self
    }

    @inlinable
    static func bytes(of value: Value) -> Int {
        if isInline { return 0 }
        if let text = value as? String {
            return text.utf8.count <= inlineStringBytes ? 0 : text.utf8.count + overhead
        }
        if let bytes = value as? [UInt8] { return bytes.count + overhead }
        return 0
    }
}
