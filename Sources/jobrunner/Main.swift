// The example jobs as a program.

import FlightJobs
import StreamJobs
import StreamJobsCLI

@main struct ExampleJobs: JobRunner {
    static let jobs = [flightDelays]
}
