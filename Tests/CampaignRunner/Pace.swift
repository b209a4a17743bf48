// A brake for the campaign's job.

import Glibc

/// Makes work take time, so that it is spread over many commits.
enum Pace {
    /// Microseconds a record: what `CAMPAIGN_PACE` says.
    private static let microseconds: UInt32 = {
        guard let text = getenv("CAMPAIGN_PACE") else { return 0 }
        return UInt32(String(cString: text)) ?? 0
    }()

    static func wait() {
        if microseconds > 0 { usleep(microseconds) }
    }
}
