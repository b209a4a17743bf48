/// Bytes that come in pieces: a file, a pipe, or an array in a test.
package protocol ByteSource: AnyObject {
    /// What a sentence calls it, such as "flights.csv.gz" or "standard input".
    var name: String { get }
    /// The next `read` will not wait.
    var isReady: Bool { get }
    /// Appends the next bytes to `buffer`; false when there are none any more. May wait for them.
    func read(into buffer: inout [UInt8]) throws -> Bool
}
