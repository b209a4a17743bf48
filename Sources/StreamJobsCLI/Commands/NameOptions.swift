// `--topic` and `--group` beside the first argument, as Kafka's tools have them: a name stands in one of the
// two places, never in both.

import ArgumentParser

/// The topic's name as Kafka's tools and kcat have it.
struct TopicOption: ParsableArguments {
    @Option(
        name: [.customShort("t", allowingJoined: true), .long],
        help: ArgumentHelp("The same as TOPIC, as in Kafka's tools and kcat.", valueName: "topic"))
    var topic: String?

    static let notOnce = ValidationError(
        "name the topic once: as the first argument or with --topic")

    func check(_ argument: String?) throws {
        guard (topic == nil) != (argument == nil) else { throw Self.notOnce }
    }
}

/// Several topics.
struct TopicsOption: ParsableArguments {
    @Option(
        name: [.customShort("t", allowingJoined: true), .customLong("topic")],
        help: ArgumentHelp(
            "The same as TOPIC, as in Kafka's tools; may be given several times.",
            valueName: "topic[,topic…]"))
    var lists: [String] = []

    /// No name of a topic holds a comma.
    var topics: [String] { lists.flatMap(Names.parts) }

    /// - Parameter isOptional: None at all stands for all there are.
    func check(_ arguments: [String], isOptional: Bool = false) throws {
        guard Names.areGivenOnce(lists, arguments, isOptional: isOptional) else {
            throw ValidationError("name the topics once: as arguments or with --topic")
        }
    }
}

/// The group's name as kafka-consumer-groups has it.
struct GroupOption: ParsableArguments {
    @Option(
        help: ArgumentHelp("The same as GROUP, as in Kafka's tools.", valueName: "group"))
    var group: String?

    func check(_ argument: String?) throws {
        guard (group == nil) != (argument == nil) else {
            throw ValidationError("name the group once: as the first argument or with --group")
        }
    }
}

/// Several groups.
struct GroupsOption: ParsableArguments {
    @Option(
        name: .customLong("group"),
        help: ArgumentHelp(
            "The same as GROUP, as in Kafka's tools; may be given several times.",
            valueName: "group"))
    var groups: [String] = []

    /// - Parameter isOptional: None at all stands for all there are.
    func check(_ arguments: [String], isOptional: Bool = false) throws {
        guard Names.areGivenOnce(groups, arguments, isOptional: isOptional) else {
            throw ValidationError("name the groups once: as arguments or with --group")
        }
    }
}

enum Names {
    /// `a,b` of Kafka's options and of `--key-columns`. An empty part stays, to be refused as a name.
    static func parts(_ list: String) -> [String] {
        list.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }

    fileprivate static func areGivenOnce(
        _ options: [String], _ arguments: [String], isOptional: Bool
    ) -> Bool {
        options.isEmpty ? isOptional || !arguments.isEmpty : arguments.isEmpty
    }
}
