import Query
import TraceModel

/// A comparison's figures for people and for programs.
package struct ComparisonReport {
    package let result: ComparisonResult
    /// Where the spans came from, for people.
    package let source: String
    /// Whether the spans are those that a sampler kept: then what it dropped is missing on both sides.
    package let isSampled: Bool

    package init(result: ComparisonResult, source: String, isSampled: Bool) {
        self.result = result
        self.source = source
        self.isSampled = isSampled
    }

    /// Names of operations and services that are listed one by one; the rest is counted.
    static let listLimit = 20

    // MARK: - Wording

    static func policy(_ name: String?) -> String {
        guard let name else { return "not kept" }
        return name.isEmpty ? "(no policy)" : name
    }

    static func grouped(_ number: Int) -> String {
        let digits = String(number.magnitude)
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return (number < 0 ? "-" : "") + text
    }

    static func signed(_ number: Int) -> String { number > 0 ? "+" + grouped(number) : grouped(number) }

    static func bytes(_ count: Int) -> String {
        var value = Double(count.magnitude)
        var unit = "B"
        for next in ["kB", "MB", "GB", "TB"] where value >= 1000 {
            value /= 1000
            unit = next
        }
        let text = unit == "B" ? "\(count.magnitude)" : "\((value * 10).rounded() / 10)"
        return (count < 0 ? "-" : "") + text + " " + unit
    }

    static func signedBytes(_ count: Int) -> String { (count > 0 ? "+" : "") + bytes(count) }

    /// `12.5 %` of a whole; nothing of nothing.
    static func share(_ part: Int, of whole: Int) -> String {
        guard whole > 0 else { return "-" }
        let percent = Double(part) / Double(whole) * 100
        return "\((percent * 100).rounded() / 100) %"
    }

    static func operation(_ service: String, _ name: String) -> String {
        TerminalText.clean(service.isEmpty ? name : "\(service): \(name)")
    }

    /// What the spans are, in one line.
    var inputLine: String {
        var text =
            "\(source): \(Self.grouped(result.offered.spans)) spans, \(Self.bytes(result.offered.bytes)), "
            + "\(Self.grouped(result.offered.traces)) traces"
        if result.length > 0 {
            let (nanoseconds, overflow) = UInt64(result.length).multipliedReportingOverflow(by: 1_000_000)
            if !overflow { text += " in \(DurationText.format(nanoseconds)) of stream time" }
        }
        return text
    }

    /// What a reader has to know to read the figures right.
    var notes: [String] {
        var notes: [String] = []
        if result.offered.spans == 0 { notes.append("No spans came: there is nothing to compare.") }
        if isSampled {
            notes.append(
                "These spans are what a sampler kept: traces that it dropped are missing here, on both sides.")
        }
        if result.rejectedSpans > 0 {
            notes.append("\(Self.grouped(result.rejectedSpans)) spans have no valid id and are in no figure.")
        }
        for side in Side.allCases {
            let totals = result.sides[side]
            if totals.unsampledTraces > 0 {
                notes.append(
                    "\(Self.grouped(totals.unsampledTraces)) traces did not reach the \(side.rawValue) sampler: stages before "
                        + "it filtered all their spans.")
            }
            if totals.rejectedSpans > 0 {
                notes.append(
                    "\(Self.grouped(totals.rejectedSpans)) spans were refused before the \(side.rawValue) sampler.")
            }
        }
        if let limit = result.operationLimit {
            notes.append("There are more than \(Self.grouped(limit)) operations; those beyond count as one, (others).")
        }
        return notes
    }

    /// Bytes that a side would keep in a day of such traffic; nil where the recording is too short to say.
    func bytesPerDay(_ side: Side) -> Int? {
        guard result.length >= 60_000 else { return nil }
        let perDay = Double(result.sides[side].kept.bytes) / Double(result.length) * 86_400_000
        return perDay < 9e18 ? Int(perDay) : nil
    }
}
