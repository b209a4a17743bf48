// A disk that can be filled. Needs the right to mount a small tmpfs.

import Foundation

/// A file system of a few megabytes in a temporary directory, unmounted with it.
package final class SmallDisk {
    package let directory: TemporaryDirectory
    package var path: String { directory.path }

    /// Nil without the right to mount.
    package init?(megabytes: Int = 1) throws {
        directory = try TemporaryDirectory()
        guard mount("none", directory.path, "tmpfs", 0, "size=\(megabytes)m") == 0 else {
            return nil
        }
    }

    deinit { umount2(path, Int32(MNT_DETACH)) }

    package static let isPermitted: Bool = {
        do {
            if try SmallDisk() != nil { return true }
            print("skipped: no right to mount a tmpfs: \(String(cString: strerror(errno)))")
        } catch { print("skipped: \(error)") }
        return false
    }()

    /// Leaves `byteCount` bytes of room, about.
    package func fill(leaving byteCount: Int) throws {
        var status = statvfs()
        precondition(statvfs(path, &status) == 0, "the disk is there")
        let room = Int(status.f_bavail * status.f_bsize)
        let ballast = Data(repeating: 0, count: max(0, room - byteCount))
        try ballast.write(to: URL(fileURLWithPath: path + "/ballast"))
    }

    /// Bytes that the file occupies, also behind its end.
    package func allocatedBytes(_ file: String) throws -> Int {
        var status = stat()
        precondition(stat(path + "/" + file, &status) == 0, "the file is there")
        return Int(status.st_blocks) * 512
    }

    package func empty() throws { try FileManager.default.removeItem(atPath: path + "/ballast") }
}
