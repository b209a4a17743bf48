// The name of a format taken apart: `pair(string, optional(int64))`.

/// A name, and the names in parentheses behind it.
struct FormatName {
    let head: String
    let arguments: [FormatName]

    /// nil where parentheses do not add up, or are nested deeper than any codec's.
    init?(_ text: String) {
        var rest = text[...]
        guard let name = Self(takenFrom: &rest, depth: 0), rest.isEmpty else { return nil }
        self = name
    }

    private init?(takenFrom rest: inout Substring, depth: Int) {
        guard depth <= Limits.formatDepthMax else { return nil }
        let head = rest.prefix { $0 != "(" && $0 != ")" && $0 != "," }
        rest.removeFirst(head.count)
        self.head = String(head.drop { $0 == " " })
        var arguments: [FormatName] = []
        if rest.first == "(" {
            repeat {
                rest.removeFirst()
                guard let argument = Self(takenFrom: &rest, depth: depth + 1) else { return nil }
                arguments.append(argument)
            } while rest.first == ","
            guard rest.first == ")" else { return nil }
            rest.removeFirst()
        }
        self.arguments = arguments
        guard !self.head.isEmpty else { return nil }
    }
}
