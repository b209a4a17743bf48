import StreamJobsCLI
import Testing

struct TextTableTests {
    @Test func `numbers stand to the right and no line ends with spaces`() {
        var table = TextTable(["name", "count"])
        table.add(["a", "7"])
        table.add(["longer", "-"])
        table.add(["b", "1234567"])
        #expect(
            table.text(indent: 1) == """
                 name      count
                 a             7
                 longer        -
                 b       1234567

                """)
    }
}
