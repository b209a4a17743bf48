// The program that scripts/fuzz builds: libFuzzer calls `testOneInput` with each input that it makes up.

import Foundation
import LogFuzzTargets

/// libFuzzer's loop. There is no header for it; its arguments are passed alike by C and Swift.
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

private let target: FuzzTarget = {
    let name = ProcessInfo.processInfo.environment["FUZZ_TARGET"] ?? ""
    guard let target = FuzzTarget(rawValue: name) else {
        preconditionFailure("FUZZ_TARGET is '\(name)', which is no target")
    }
    return target
}()

/// Ends the process with what was found: libFuzzer then keeps the input. Its own main, which is linked and
/// not used, asks for the name.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ data: UnsafePointer<UInt8>?, _ byteCount: Int) -> CInt {
    // libFuzzer's memory is valid for the call; the targets work on a copy.
    let input = Array(UnsafeBufferPointer(start: data, count: byteCount))
    do {
        try target.run(input)
    } catch {
        FileHandle.standardError.write(Data("found: \(target.rawValue): \(error)\n".utf8))
        abort()
    }
    return 0
}

@main
enum Fuzzer {
    static func main() {
        var count = CommandLine.argc
        var arguments = CommandLine.unsafeArgv
        exit(runDriver(&count, &arguments, testOneInput))
    }
}
