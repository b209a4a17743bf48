// What the campaign sets in the environment of a run.

import Glibc

enum Variable {
    /// The number in a variable; nil where it is not set, or to no positive number.
    static func number(_ name: String) -> Int? {
        guard let text = getenv(name), let number = Int(String(cString: text)), number > 0 else {
            return nil
        }
        return number
    }
}
