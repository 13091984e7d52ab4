import Synchronization

/// How a value of a configuration file is asked for.
package enum ReadForm: Sendable, Hashable {
    case string, boolean, integer, number, duration, size, strings, object
}

#if DEBUG
    /// Which keys are asked for, so that a test can hold what stages and policies read against what they declare. An
    /// undeclared key would read as absent for ever, since no file may have it.
    package enum ConfigReads {
        @TaskLocal package static var recorder: ConfigReadRecorder?
    }

    /// Collects reads. Used by one test at a time, on any thread.
    package final class ConfigReadRecorder: Sendable {
        package struct Read: Hashable, Sendable {
            /// Name of the file that the map says it comes from: tests give each map its own.
            package var map: String
            package var key: String
            /// Nil for a read of the value itself.
            package var form: ReadForm?
        }

        private let found = Mutex<Set<Read>>([])

        package init() {}

        package var reads: Set<Read> { found.withLock { $0 } }

        func note(_ key: String, in map: ConfigValue, as form: ReadForm?) {
            _ = found.withLock { $0.insert(Read(map: map.location.file, key: key, form: form)) }
        }
    }
#endif
