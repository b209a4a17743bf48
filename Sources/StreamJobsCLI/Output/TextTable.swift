// Columns for eyes: padded with spaces, the numbers to the right.

/// Rows under a heading. What is shown on a terminal; for programs there is `--json`.
package struct TextTable {
    private var rows: [[String]]

    package init(_ heading: [String]) { rows = [heading] }

    package mutating func add(_ row: [String]) {
        precondition(row.count == rows[0].count, "a row has a cell for each column")
        rows.append(row)
    }

    /// The lines, each with its end. A column of numbers, or of `-` for those that are missing, stands to the
    /// right.
    package func text(indent: Int = 0) -> String {
        let columns = rows[0].indices.map { column in
            (
                width: rows.map { $0[column].count }.max() ?? 0,
                isNumber: rows.dropFirst().allSatisfy {
                    $0[column] == "-" || Int64($0[column]) != nil
                }
            )
        }
        var text = ""
        for row in rows {
            var line = String(repeating: " ", count: indent)
            for (cell, column) in zip(row, columns) {
                let padding = String(repeating: " ", count: column.width - cell.count)
                line += (column.isNumber ? padding + cell : cell + padding) + "  "
            }
            while line.last == " " { line.removeLast() }
            text += line + "\n"
        }
        return text
    }
}
