public import StreamJobsLog

extension ClosedRange where Bound == Timestamp {
    @usableFromInline
    var milliseconds: ClosedRange<Int64> { lowerBound.milliseconds...upperBound.milliseconds }

    @usableFromInline
    init(milliseconds: ClosedRange<Int64>) {
        self =
            Timestamp(
                milliseconds: milliseconds.lowerBound)...Timestamp(
                milliseconds: milliseconds.upperBound)
    }

    /// All of time.
    public static var always: ClosedRange<Timestamp> { .distantPast ... .distantFuture }
}
