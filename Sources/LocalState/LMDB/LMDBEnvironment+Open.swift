// Opening an environment: the directory, the length of the file, the map.

import CStreamJobsLMDB
import Glibc

extension LMDBEnvironment {
    package func open(databaseCountMax: Int) throws {
        precondition(environment == nil, "state is opened once")
        try StateDirectory.create(label)
        let identity = try DirectoryIdentity(path: label)
        try OpenDirectories.take(identity, path: label)
        self.identity = identity
        do {
            let path = label + "/data.mdb"
            let isNew = try !DataFile.checkLength(path: path)
            try LockFilePages.allocate(path: label + "/lock.mdb")
            try openEnvironment(databaseCountMax: databaseCountMax)
            // What LMDB has begun the file with is on the disk before anything is behind it: so zeros in a longer
            // file are damage.
            if isNew, settings.durability != .none {
                try check(mdb_env_sync(environment, 1), "mdb_env_sync of \(label)")
            }
            try StateDirectory.sync(label)
        } catch {
            close()
            throw error
        }
    }

    /// Opens the environment with the largest map that the system grants.
    private func openEnvironment(databaseCountMax: Int) throws {
        var flags = UInt32(MDB_NOTLS)
        if settings.durability == .none { flags |= UInt32(MDB_NOSYNC) }
        while true {
            var created: OpaquePointer?
            try check(mdb_env_create(&created), "mdb_env_create for \(label)")
            environment = created
            try check(
                mdb_env_set_maxdbs(created, MDB_dbi(databaseCountMax)),
                "mdb_env_set_maxdbs of \(label)")
            try check(
                mdb_env_set_maxreaders(created, Limits.readersMax),
                "mdb_env_set_maxreaders of \(label)")
            try check(mdb_env_set_mapsize(created, mapBytes), "mdb_env_set_mapsize of \(label)")
            let code = mdb_env_open(created, label, flags, 0o666)
            guard code == ENOMEM, mapBytes / 2 >= Limits.mapBytesMin else {
                return try check(code, "mdb_env_open of \(label)")
            }
            // After a failed mdb_env_open only mdb_env_close is allowed.
            mdb_env_close(created)
            environment = nil
            mapBytes /= 2
        }
    }
}
