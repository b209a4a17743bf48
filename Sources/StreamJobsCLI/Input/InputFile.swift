// Reading a file that may be compressed with gzip. The only file that imports zlib.

private import CStreamJobsZlib
import Glibc

enum InputFile {
    /// All bytes of `path`; those inside, if it is a gzip file. Throws with the file's name.
    static func read(_ path: String) throws -> [UInt8] {
        try requireNoDirectory(path)
        guard let file = gzopen(path, "rb") else { throw openError(path) }
        gzbuffer(file, 256 * 1024)
        var bytes: [UInt8] = []
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 1024 * 1024, alignment: 16)
        defer { chunk.deallocate() }
        while true {
            let read = gzread(file, chunk.baseAddress, UInt32(chunk.count))
            guard read >= 0 else {
                let problem = damage(file)
                gzclose_r(file)
                throw CommandError.badInput("\(path) is damaged: \(problem)")
            }
            bytes.append(contentsOf: chunk.prefix(Int(read)))
            if Int(read) < chunk.count { break }
        }
        // A stream that ends in its middle is only told here.
        let problem = damage(file)
        guard gzclose_r(file) == Z_OK else {
            throw CommandError.badInput("\(path) is damaged: \(problem)")
        }
        return bytes
    }

    private static func damage(_ file: gzFile) -> String {
        var number: Int32 = 0
        guard let text = gzerror(file, &number), number != Z_OK else {
            return "it is cut short"
        }
        return String(cString: text)
    }

    static func requireNoDirectory(_ path: String) throws {
        var status = stat()
        guard stat(path, &status) == 0 else { throw openError(path) }
        guard status.st_mode & S_IFMT != S_IFDIR else {
            throw CommandError.notFound("\(path) is a directory, not a file")
        }
    }

    static func openError(_ path: String) -> CommandError {
        switch errno {
        case ENOENT, ENOTDIR: .notFound("there is no file \(path)")
        case EACCES, EPERM: .noPermission("no permission to read \(path)")
        default: .io("could not read \(path): \(String(cString: strerror(errno)))")
        }
    }
}
