internal import Pipeline

extension RefineryTranslator {
    /// A number that Refinery takes for "not set", and what is set then; nil where the key is left out.
    private static let zeroMeans: [String: String?] = [
        "MaxKeys": nil, "Weight": nil, "AgeOutValue": nil, "BurstMultiple": nil, "BurstDetectionDelay": nil,
        "InitialSampleRate": nil, "AdjustmentInterval": nil, "ClearFrequency": nil, "UpdateFrequency": nil,
        "LookbackFrequency": nil, "SampleRate": "1", "GoalSampleRate": "10", "GoalThroughputPerSec": "100",
    ]

    private static let keys: [String: Set<String>] = [
        "DeterministicSampler": ["SampleRate"],
        "DynamicSampler": ["SampleRate", "ClearFrequency", "FieldList", "MaxKeys", "UseTraceLength"],
        "EMADynamicSampler": [
            "GoalSampleRate", "AdjustmentInterval", "Weight", "AgeOutValue", "BurstMultiple", "BurstDetectionDelay",
            "FieldList", "MaxKeys", "UseTraceLength",
        ],
        "EMAThroughputSampler": [
            "GoalThroughputPerSec", "UseClusterSize", "InitialSampleRate", "AdjustmentInterval", "Weight",
            "AgeOutValue",
            "BurstMultiple", "BurstDetectionDelay", "FieldList", "MaxKeys", "UseTraceLength",
        ],
        "WindowedThroughputSampler": [
            "UpdateFrequency", "LookbackFrequency", "GoalThroughputPerSec", "UseClusterSize", "FieldList", "MaxKeys",
            "UseTraceLength",
        ],
        "TotalThroughputSampler": [
            "GoalThroughputPerSec", "UseClusterSize", "ClearFrequency", "FieldList", "MaxKeys", "UseTraceLength",
        ],
    ]

    private static let goals = [
        "DeterministicSampler": "SampleRate", "DynamicSampler": "SampleRate", "EMADynamicSampler": "GoalSampleRate",
    ]

    /// The keys of a sampler as a policy has them, and comments for above it.
    mutating func samplerEntries(
        _ type: String, _ block: ConfigValue, subject: String
    ) -> (entries: [DraftEntry], comments: [String]) {
        var entries: [DraftEntry] = []
        var comments: [String] = []
        let known = Self.keys[type] ?? []
        for entry in block.entries {
            guard known.contains(entry.key) else {
                let hint = Wording.suggestion(for: entry.key, among: known.sorted())
                note(
                    .attention, subject, "\(type).\(entry.key) is not known and left out.\(hint)", at: entry.keyLocation
                )
                continue
            }
            if let value = value(entry, subject: "\(subject) \(type)") { entries.append(DraftEntry(entry.key, value)) }
        }
        let goal = Self.goals[type] ?? "GoalThroughputPerSec"
        if !entries.contains(where: { $0.key == goal }) {
            let standard = type == "DeterministicSampler" ? "1" : Self.zeroMeans[goal].flatMap { $0 } ?? "10"
            entries.insert(DraftEntry(goal, .text(standard), remark: "Refinery's default"), at: 0)
        }
        if type != "DeterministicSampler", !entries.contains(where: { $0.key == "FieldList" }) {
            note(.changed, subject, "\(type) has no FieldList: all traces share one rate", at: block.location)
            entries.append(DraftEntry("FieldList", .list([])))
        }
        if goal == "GoalThroughputPerSec" {
            comments.append(
                "GoalThroughputPerSec is the goal of each Kafka partition's task (in Refinery: of each instance, or of all with "
                    + "UseClusterSize): divide the total by the number of partitions.")
            note(
                .changed, subject,
                "GoalThroughputPerSec is the goal of each partition's task: divide the total that you want "
                    + "by the number of partitions of the topic", at: block[goal]?.location ?? block.location)
        }
        return (entries, comments)
    }

    private mutating func value(_ entry: ConfigEntry, subject: String) -> DraftValue? {
        let value = entry.value
        guard let text = value.scalar else {
            if entry.key == "FieldList", case .list = value.content { return DraftValue(value) }
            note(.attention, subject, "\(entry.key) has no value that can be read", at: value.location)
            return nil
        }
        if let number = Double(text.filter { $0 != "_" }) {
            if number == 0, let standard = Self.zeroMeans[entry.key] { return standard.map { .text($0) } }
            if entry.key.hasSuffix("Frequency") || entry.key.hasSuffix("Interval") {
                note(.changed, subject, "\(entry.key): \(text) has no unit; read as seconds", at: value.location)
                return .text("\(text)s")
            }
            return .scalar(text.filter { $0 != "_" }, isQuoted: false)
        }
        if Units.duration(text) == 0, let standard = Self.zeroMeans[entry.key] { return standard.map { .text($0) } }
        return DraftValue(value)
    }
}
