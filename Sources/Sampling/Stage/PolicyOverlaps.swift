import Pipeline

/// Warns of policies that can never decide anything, because of themselves or of what stands before them.
enum PolicyOverlaps {
    /// Each policy is compared with all before it; nobody reads so long a list for what can be left out of it.
    private static let maximumCount = 1000

    /// - Parameter policies: those of a list in which no mistake was found.
    static func check(_ policies: [ConfigValue], _ diagnostics: inout Diagnostics) {
        let shapes = policies.prefix(maximumCount).compactMap(PolicyShape.init)
        for shape in shapes { reportContradictions(in: shape, "policy \(Wording.quoted(shape.name))", &diagnostics) }
        // Drop policies are asked first, wherever they stand.
        let drops = shapes.filter { $0.type == "drop" }
        for (index, shape) in shapes.enumerated() where shape.nothingReason == nil {
            let isDrop = shape.type == "drop"
            let before = shapes[..<index].filter { ($0.type == "drop") == isDrop }
            guard let reason = reason(shape, before: before, drops: isDrop ? [] : drops) else { continue }
            diagnostics.warning(
                "policy \(Wording.quoted(shape.name)) never decides: \(reason)", at: shape.location)
        }
    }

    private static func reason(_ shape: PolicyShape, before: [PolicyShape], drops: [PolicyShape]) -> String? {
        func place(_ other: PolicyShape) -> String {
            "policy \(Wording.quoted(other.name)) in line \(other.location.line)"
        }
        let verb = shape.type == "drop" ? "drops" : "keeps"
        if let all = before.first(where: \.isEverything) { return "\(place(all)) \(verb) every trace before it" }
        if let drop = drops.first(where: { $0.covers(shape) }) {
            return drop.isEverything
                ? "\(place(drop)) drops every trace" : "\(place(drop)) drops every trace that it keeps"
        }
        guard let other = before.first(where: { $0.covers(shape) }) else { return nil }
        return shape.covers(other)
            ? "\(place(other)) is the same" : "\(place(other)) \(verb) every trace that it \(verb)"
    }

    /// What a plain policy cannot match is reported by its type; what several together cannot is seen here.
    private static func reportContradictions(
        in shape: PolicyShape, _ path: String, _ diagnostics: inout Diagnostics
    ) {
        if ["and", "drop", "not"].contains(shape.type), let reason = shape.nothingReason {
            diagnostics.warning("\(path) can never match: \(reason)", at: shape.location)
            // The policies around it cannot either, and the reason is said.
            return
        }
        for sub in shape.subpolicies {
            reportContradictions(in: sub, "\(path) > \(shape.type) > \(Wording.quoted(sub.name))", &diagnostics)
        }
    }
}
