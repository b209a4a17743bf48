// What a user's task needs beside this module: stores and serdes, records' offsets and timestamps.
@_exported public import LocalState
@_exported public import StreamJobsLog
