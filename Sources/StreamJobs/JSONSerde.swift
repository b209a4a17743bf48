// JSON by Foundation: a well-kept library, whose speed (0.1 to 0.2 M records a second and core) is enough
// for now. Keys are sorted, so that equal values have equal bytes in every run.

import FoundationEssentials
public import LocalState

extension Serde where Value: Codable & SendableMetatype {
    /// A Codable type as a JSON object.
    public static func json(_ type: Value.Type) -> Serde<Value> {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let decoder = JSONDecoder()
        return Serde(
            name: "json(\(Value.self))",
            encode: { value, bytes in
                do {
                    bytes.append(contentsOf: try encoder.encode(value))
                } catch {
                    throw SerdeError("the \(Value.self) cannot be written as JSON: \(error)")
                }
            },
            decode: { span in
                try span.withUnsafeBytes { buffer in
                    do {
                        return try decoder.decode(Value.self, from: Data(buffer))
                    } catch {
                        throw SerdeError("no JSON \(Value.self): \(jsonProblem(error))")
                    }
                }
            })
    }
}

/// The decoder's error in one sentence.
private func jsonProblem(_ error: any Error) -> String {
    switch error as? DecodingError {
    case .keyNotFound(let key, _): "the field '\(key.stringValue)' is missing"
    case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
        "the field '\(context.codingPath.map(\.stringValue).joined(separator: "."))' is no \(type)"
    case .dataCorrupted(let context): context.debugDescription
    default: "\(error)"
    }
}
