// The keys of a pass, told apart byte for byte within bounded memory.

import StreamJobsLog
import TestSupport
import Testing

struct KeyOffsetsTests {
    @Test(arguments: seeds(3))
    func `keys are told apart whatever they are, up to the bound`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let map = KeyOffsets(byteCountMax: 400_000)
        var model: [[UInt8]: Int64] = [:]
        var isFull = false
        for offset in 0..<20_000 {
            let key = random.bytes(.random(in: 0...3, using: &random) * 5)
                .prefix(.random(in: 0...20, using: &random)).map { $0 & 0x0f }
            let isTaken = key.withUnsafeBytes { map.put($0, Int64(offset)) }
            if isTaken { model[key] = Int64(offset) }
            #expect(isTaken || model[key] == nil)
            isFull = isFull || !isTaken
        }
        #expect(isFull && map.count == model.count)
        for (key, offset) in model {
            #expect(key.withUnsafeBytes { map.offset(of: $0) } == offset)
        }
    }

    @Test func `one key is taken however long it is`() {
        let map = KeyOffsets(byteCountMax: 100_000)
        let long = [UInt8](repeating: 1, count: 200_000)
        #expect(long.withUnsafeBytes { map.put($0, 1) })
        #expect([2].withUnsafeBytes { !map.put(UnsafeRawBufferPointer($0), 2) })
        #expect(long.withUnsafeBytes { map.put($0, 3) && map.offset(of: $0) == 3 })
    }
}
