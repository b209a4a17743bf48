// A disk that is full, and has room again, under the built program. Needs the right to mount.

import Foundation
import TestSupport
import Testing

private enum Mounting {
    /// In a name space of its own, so that nothing is left mounted.
    static let isPermitted: Bool = {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
        process.standardError = FileHandle.nullDevice
        do {
            try process.run()
            process.waitUntilExit()
            return process.terminationStatus == 0
        } catch {
            print("skipped: \(error)")
            return false
        }
    }()
}

@Suite(.enabled(if: Mounting.isPermitted, "mounting a tmpfs is not permitted"))
struct DiskFullTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// Runs `script` where `disk` is a file system of a megabyte, which goes away with the script.
    private func run(_ script: String) async throws -> Shell {
        let file = try directory.file("script", Array(script.utf8))
        return try await Shell.run(
            """
            mkdir disk
            unshare --mount bash -c 'mount -t tmpfs -o size=1m none disk && . "$0"' \(file)
            """,
            in: directory)
    }

    @Test func `produce ends with 74, and with room again nothing is lost or doubled`() async throws
    {
        let shell = try await run(
            """
            jobrunner topics create t --partitions 2 --data disk/d > created
            seq 200000 | jobrunner produce t --data disk/d; echo $?
            jobrunner consume t --data disk/d --from-beginning --until-end > first
            sort first | uniq -d
            wc -l < first
            mount -o remount,size=8m disk
            seq 200001 200010 | jobrunner produce t --data disk/d 2> progress; echo $?
            jobrunner consume t --data disk/d --from-beginning --until-end > second
            { cat first; seq 200001 200010; } | sort | cmp - <(sort second) && echo whole
            """)
        let count = shell.lines.count > 1 ? shell.lines[1] : ""
        #expect(shell.lines == ["74", count, "0", "whole"])
        // On a slow machine lines of progress come before it.
        let last = shell.errors.split(separator: "\n").last
        #expect(last?.contains(": the disk is full: could not write to disk/d/t-") == true)
        #expect(last?.contains("; only \(count) of the ") == true, "\(shell.errors)")
    }

    @Test func `topics create ends with 74 and makes no topic`() async throws {
        let shell = try await run(
            """
            jobrunner topics create t --data disk/d > created
            mount -o remount,nr_inodes=16 disk
            jobrunner topics create u --partitions 20 --data disk/d; echo $?
            jobrunner topics list --data disk/d
            mount -o remount,nr_inodes=100 disk
            jobrunner topics create u --partitions 20 --data disk/d > created; echo $?
            jobrunner topics list --data disk/d
            """)
        #expect(
            shell.lines == ["74", "t  1 partition", "0", "t  1 partition", "u  20 partitions"],
            "\(shell.errors)")
        #expect(shell.errors.hasPrefix("error: the disk is full: could not create "))
    }
}
