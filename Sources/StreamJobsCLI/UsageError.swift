// Wrong usage: makes the parser's message one sentence without the usage text.

package enum UsageError {
    /// The parser's message as one sentence, and where there is help.
    /// - Parameter fullMessage: The parser's message with all that it puts below.
    package static func sentence(message: String, fullMessage: String) -> String {
        sentence(message: message, help: helpCommand(in: fullMessage).map(String.init))
    }

    /// - Parameter help: The command that shows the help; nil: none is named.
    static func sentence(message: String, help: String?) -> String {
        var sentence = message.split(whereSeparator: \.isNewline)
            .map { $0.drop { $0 == " " } }.joined(separator: " ")
        if let question = sentence.firstRange(of: ". Did you mean ") {
            sentence.replaceSubrange(question, with: " (did you mean ")
            sentence += ")"
        }
        if sentence.last == "." { sentence.removeLast() }
        sentence = sentence.prefix(1).lowercased() + sentence.dropFirst()
        guard let help else { return sentence }
        return "\(sentence); see '\(help)'"
    }

    /// The sentence for arguments that begin with a command that is not there; nil for others, and for
    /// none.
    package static func unknownCommand(
        in arguments: ArraySlice<String>, program: String, commands: [String: [String]]
    ) -> String? {
        guard let first = arguments.first, !first.hasPrefix("-") else { return nil }
        if first == "help" {
            return unknownCommand(
                in: arguments.dropFirst(), program: program, commands: commands)
        }
        guard let subcommands = commands[first] else {
            return sentence(first, among: Array(commands.keys), of: program)
        }
        guard let second = arguments.dropFirst().first, !subcommands.isEmpty,
            !second.hasPrefix("-"), !subcommands.contains(second)
        else { return nil }
        return sentence(second, among: subcommands, of: "\(program) \(first)")
    }

    private static func sentence(_ name: String, among names: [String], of program: String)
        -> String
    {
        let others = names.sorted().joined(separator: ", ")
        return
            "there is no command '\(program) \(name)'; there are: \(others); see '\(program) --help'"
    }

    /// The parser's last line is "See 'jobrunner run --help' for more information."
    private static func helpCommand(in fullMessage: String) -> Substring? {
        guard let start = fullMessage.ranges(of: "See '").last?.upperBound else { return nil }
        let rest = fullMessage[start...]
        return rest.firstIndex(of: "'").map { rest[..<$0] }
    }
}
