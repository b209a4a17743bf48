// Reading a file that may be compressed with gzip. The only file that imports zlib.

private import CStreamJobsZlib
import Glibc

enum InputFile {
    /// All bytes of `path`; those inside, if it is a gzip file. Throws with the file's name.
    static func read(_ path: String) throws -> [UInt8] {
        var status = stat()
        guard stat(path, &status) == 0 else { throw openError(path) }
        guard status.st_mode & S_IFMT != S_IFDIR else {
            throw CommandError.notFound("\(path) is a directory, not a file")
        }
        guard let file = gzopen(path, "rb") else { throw openError(path) }
        gzbuffer(file, 256 * 1024)
        var bytes: [UInt8] = []
        let chunkCount = 1024 * 1024
        while true {
            let start = bytes.count
            bytes.append(contentsOf: repeatElement(0, count: chunkCount))
            let read = bytes.withUnsafeMutableBytes {
                gzread(file, $0.baseAddress.map { $0 + start }, UInt32(chunkCount))
            }
            guard read >= 0 else {
                let problem = damage(file)
                gzclose_r(file)
                throw CommandError.badInput("\(path) is damaged: \(problem)")
            }
            bytes.removeLast(chunkCount - Int(read))
            if Int(read) < chunkCount { break }
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

    private static func openError(_ path: String) -> CommandError {
        switch errno {
        case ENOENT, ENOTDIR: .notFound("there is no file \(path)")
        case EACCES, EPERM: .noPermission("no permission to read \(path)")
        default: .io("could not read \(path): \(String(cString: strerror(errno)))")
        }
    }
}
