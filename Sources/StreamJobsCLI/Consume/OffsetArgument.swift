// `--offset`, as kcat has it.

import StreamJobsLog

/// Where to begin.
struct OffsetArgument {
    let start: Start

    /// Throws a `CommandError` that says which forms there are; the parser puts it behind the name of the
    /// option.
    static func parse(_ text: String) throws -> OffsetArgument {
        switch text {
        case "beginning", "earliest": return OffsetArgument(start: .earliest)
        case "end", "latest": return OffsetArgument(start: .latest)
        default: break
        }
        if text.hasPrefix("s@"), let time = TimestampText.parse(text.dropFirst(2).utf8) {
            return OffsetArgument(start: .time(time))
        }
        if let number = Int64(text), number > .min {
            return OffsetArgument(
                start: text.hasPrefix("-") ? .fromEnd(Int(-number)) : .offset(Offset(number)))
        }
        throw CommandError.usage(
            "use beginning, end, an offset, -N for N before the end, or s@TIME with a time such as "
                + TimestampText.forms)
    }
}
