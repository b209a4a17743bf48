// "There is no X; there are ...": names the nearest of those that would have been right.

package enum Suggestions {
    /// "there are: a, b, c", the nearest to `name` first where there are too many to list; nil where there
    /// are none.
    package static func sentence(for name: String, among names: [String]) -> String? {
        guard !names.isEmpty else { return nil }
        guard names.count > Limits.suggestedNamesMax else {
            return "there are: \(names.joined(separator: ", "))"
        }
        let nearest = names.map { (distance: distance(name, $0), name: $0) }
            .sorted { ($0.distance, $0.name) < ($1.distance, $1.name) }
            .prefix(Limits.suggestedNamesMax)
        return "of \(names.count), the nearest are: \(nearest.map(\.name).joined(separator: ", "))"
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
