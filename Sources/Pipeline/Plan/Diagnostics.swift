/// Mistakes found in a configuration file. All are collected, so that a user sees them at once.
public struct Diagnostics: Sendable {
    public struct Diagnostic: Sendable, Equatable, CustomStringConvertible {
        public enum Severity: String, Sendable { case error, warning }

        public var severity: Severity
        public var location: SourceLocation
        public var message: String

        /// `file:line:column: error: message`
        public var description: String { "\(location): \(severity.rawValue): \(message)" }
    }

    public private(set) var all: [Diagnostic] = []

    public init() {}

    public mutating func error(_ message: String, at location: SourceLocation) {
        all.append(Diagnostic(severity: .error, location: location, message: message))
    }

    public mutating func warning(_ message: String, at location: SourceLocation) {
        all.append(Diagnostic(severity: .warning, location: location, message: message))
    }

    public mutating func append(_ other: Diagnostics) { all += other.all }

    public mutating func append(_ others: [Diagnostic]) { all += others }

    public var hasErrors: Bool { all.contains { $0.severity == .error } }

    /// In the order of the file, each once.
    public var sorted: [Diagnostic] {
        var seen: Set<String> = []
        return all.sorted { $0.location < $1.location }.filter { seen.insert($0.description).inserted }
    }
}
