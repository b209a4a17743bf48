// LMDB's lock file is written through a map: where the disk has no room for a page of it, the process dies of a
// SIGBUS (seen on a full tmpfs). So its pages are there before LMDB maps them.

import Glibc

enum LockFilePages {
    /// Makes room for the lock file of an environment that this process has not opened.
    /// Throws `.noSpace` where there is none.
    static func allocate(path: String) throws {
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw error(of: errno, "open of \(path)") }
        defer { Glibc.close(descriptor) }
        let code = posix_fallocate(descriptor, 0, off_t(Limits.lockFileBytes))
        guard code != 0, code != EOPNOTSUPP, code != EINVAL else { return }
        throw error(of: code, "making room for \(path)")
    }
}
