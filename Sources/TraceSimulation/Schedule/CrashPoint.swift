import Storage

/// A death at a chosen step of the protocol: a system call or message within an action, told apart by what it is done to and
/// not by when.
package struct CrashPoint: Sendable, Hashable, CustomStringConvertible {
    package enum Moment: String, Sendable, CaseIterable {
        /// Nothing of the step is done.
        case before
        /// A part of it may be done.
        case during
        /// All of it is done, and nothing else.
        case after
    }

    /// Such as `flush rename manifests/*.manifest`.
    package var step: String
    /// Which of the steps of this name, in the order of the world: 0 for the first.
    package var occurrence: Int
    package var moment: Moment
    /// The machine's power fails, and not only one process dies.
    package var losesPower: Bool

    package init(step: String, occurrence: Int, moment: Moment, losesPower: Bool) {
        self.step = step
        self.occurrence = occurrence
        self.moment = moment
        self.losesPower = losesPower
    }

    /// As `init(_:)` reads it.
    package var description: String {
        "\(step)#\(occurrence) \(moment.rawValue) \(losesPower ? "power" : "kill")"
    }

    /// Nil for a text that is none.
    package init?(_ text: some StringProtocol) {
        let words = text.split(separator: " ")
        guard words.count >= 4, let moment = Moment(rawValue: String(words[words.count - 2])),
            ["power", "kill"].contains(words[words.count - 1])
        else { return nil }
        let named = words.dropLast(2).joined(separator: " ")
        guard let mark = named.lastIndex(of: "#"), let occurrence = Int(named[named.index(after: mark)...]) else {
            return nil
        }
        self.init(
            step: String(named[..<mark]), occurrence: occurrence, moment: moment,
            losesPower: words[words.count - 1] == "power")
    }
}

/// What a worker is doing when it takes a step.
enum ProtocolAction: String, CaseIterable {
    /// Opens the store at its start.
    case open
    /// Takes a partition's epoch.
    case acquire
    /// Makes its task, with the decisions of before.
    case restore
    /// Reads and processes records.
    case process
    /// Performs a commit group.
    case flush
    /// Tells the log how far it is.
    case commit
    /// Lets partitions go.
    case revoke
    /// Takes over another configuration.
    case reload
    /// Removes files that nobody needs.
    case collect

    /// The name of a step within the action: the same for every worker, partition and number.
    func name(of step: Step, _ path: String) -> String {
        var parts = path.split(separator: "/").map(String.init)
        if parts.first == Simulation.layout.root { parts.removeFirst() }
        for index in parts.indices.dropFirst() {
            let suffixes = parts[index].split(separator: ".").dropFirst().filter { !$0.contains(where: \.isNumber) }
            parts[index] = (["*"] + suffixes).joined(separator: ".")
        }
        // Partitions and the like, which are named by nothing else.
        if !step.isSystemCall { parts = [] }
        return ([rawValue, step.rawValue, parts.joined(separator: "/")].filter { !$0.isEmpty }).joined(separator: " ")
    }
}
