// Return codes of LMDB become errors here, and nowhere else.

import CStreamJobsLMDB
import Glibc

/// Throws what a return code of LMDB means.
/// - Parameter doing: the call and its object, as in `mdb_env_open of state/job/0`.
func check(_ code: Int32, _ doing: @autoclosure () -> String) throws {
    guard code != MDB_SUCCESS else { return }
    throw error(of: code, doing())
}

/// The error that a return code of LMDB stands for.
func error(of code: Int32, _ doing: String) -> StateError {
    let reason = String(cString: mdb_strerror(code))
    switch code {
    case ENOSPC, EDQUOT:
        return StateError(.noSpace, "\(doing): the disk is full (\(reason)). Free some space.")
    case EACCES, EPERM, EROFS:
        return StateError(.permissionDenied, "\(doing): permission denied (\(reason)).")
    case MDB_MAP_FULL:
        return StateError(.noSpace, "\(doing): the map cannot grow any further (\(reason)).")
    case MDB_CORRUPTED, MDB_PAGE_NOTFOUND, MDB_INVALID, MDB_BAD_TXN:
        return StateError(
            .corrupted,
            "\(doing): the data is damaged (\(reason)). Restore the state from a "
                + "backup, or rebuild it."
        )
    case MDB_VERSION_MISMATCH:
        return StateError(
            .newerFormat, "\(doing): written by another version of LMDB (\(reason)).")
    case MDB_PANIC:
        return StateError(
            .outcomeUnknown, "\(doing): an earlier commit failed (\(reason)). Reopen the state.")
    default:
        // LMDB's own codes are negative; what is left of them cannot happen with correct calls,
        // and is reported with its name as an I/O error.
        return StateError(.io(errno: code), "\(doing): \(reason).")
    }
}
