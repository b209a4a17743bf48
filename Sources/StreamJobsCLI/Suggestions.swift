// "There is no X; there are ...": names the nearest of those that would have been right.

package enum Suggestions {
    /// "there are: a, b, c"; where they are too many, only those that `name` may have been meant for. Nil
    /// where there are none at all.
    /// - Parameter command: What lists them all.
    package static func sentence(
        for name: String, among names: [String], listedBy command: String
    ) -> String? {
        guard !names.isEmpty else { return nil }
        guard names.count > Limits.suggestedNamesMax else {
            return "there are: \(names.joined(separator: ", "))"
        }
        let near = names.map { (distance: distance(name, $0), name: $0) }
            .filter { $0.distance <= max(1, name.utf8.count / 3) }
            .sorted { ($0.distance, $0.name) < ($1.distance, $1.name) }
            .prefix(Limits.nearNamesMax).map { "'\($0.name)'" }
        guard !near.isEmpty else { return "'\(command)' names the \(names.count) that there are" }
        return "did you mean \(near.joined(separator: " or "))"
    }

    /// Characters to add, leave out or change to make one name of the other (Levenshtein).
    package static func distance(_ left: String, _ right: String) -> Int {
        let right = Array(right.utf8)
        var row = Array(0...right.count)
        for (index, byte) in left.utf8.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for column in right.indices {
                let replaced = diagonal + (byte == right[column] ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(replaced, diagonal + 1, row[column] + 1)
            }
        }
        return row[right.count]
    }
}
