/// What a stage kind is called, takes, gives and can be told. The parser, `validate`, `graph` and the reference
/// documentation all read this one description.
public struct StageDefinition: Sendable {
    public let kind: String
    public let role: StageRole
    /// One sentence for the reference documentation.
    public let summary: String
    /// Port types accepted by `from:`; empty for sources.
    public let inputs: [PortType]
    public let outputs: [OutputPort]
    public let options: [StageOption]
    /// Checks beyond the options' types; reports every mistake it finds.
    public let check: @Sendable (StageSettings, inout Diagnostics) -> Void
    /// Attribute keys that the stage reads to sort or judge spans, nil when it may read any. A scrubber declared before it
    /// that can change one of them is applied before the stage sees the spans.
    public let attributeKeysRead: @Sendable (StageSettings) -> [String]?
    /// The settings with the content of files that they name in the names' places. Read once, when a plan is made: all tasks of a
    /// worker then follow the same files, whenever they are made, and a changed file is a changed configuration.
    public let inlined: @Sendable (StageSettings) throws -> ConfigValue
    /// Stages that a declaration stands for where it feeds a sampler; nil where it stands for itself.
    public let expansion: @Sendable (StageSettings) -> StageExpansion?
    /// Makes the running stage.
    public let make: StageFactory

    public init(
        kind: String, role: StageRole, summary: String, inputs: [PortType], outputs: [OutputPort],
        options: [StageOption], check: @escaping @Sendable (StageSettings, inout Diagnostics) -> Void = { _, _ in },
        attributeKeysRead: @escaping @Sendable (StageSettings) -> [String]? = { _ in [] },
        inlined: @escaping @Sendable (StageSettings) throws -> ConfigValue = { $0.value },
        expansion: @escaping @Sendable (StageSettings) -> StageExpansion? = { _ in nil },
        make: StageFactory
    ) {
        self.kind = kind
        self.role = role
        self.summary = summary
        self.inputs = inputs
        self.outputs = outputs
        self.options = options
        self.check = check
        self.attributeKeysRead = attributeKeysRead
        self.inlined = inlined
        self.expansion = expansion
        self.make = make
    }

    /// The port that `from: stage` means.
    public var defaultOutput: OutputPort? { outputs.first { !$0.isSide } }
}

/// Stages that the plan puts in the place of one that was declared.
public struct StageExpansion: Sendable {
    public struct Stage: Sendable {
        public var name: String
        public var kind: String
        /// What it reads, as `from` would name it; nil for a source.
        public var from: String?
        public var options: [ConfigEntry]

        public init(name: String, kind: String, from: String? = nil, options: [ConfigEntry]) {
            self.name = name
            self.kind = kind
            self.from = from
            self.options = options
        }
    }

    /// One of them has the name of the stage that was declared: it gives what that stage's readers read.
    public var stages: [Stage]
    /// Who reads the declared stage's rejects reads the rejects of these too.
    public var rejecting: [String]

    public init(stages: [Stage], rejecting: [String]) {
        self.stages = stages
        self.rejecting = rejecting
    }
}

/// How a running stage is made from its settings. Called once per task, or once per worker thread for sinks and once per
/// worker for sources.
public enum StageFactory: Sendable {
    case source(@Sendable (StageSettings, StageEnvironment) throws -> any Source)
    case filter(@Sendable (StageSettings, StageEnvironment) throws -> any SpanFilter)
    case scrubber(@Sendable (StageSettings, StageEnvironment) throws -> any SpanScrubber)
    case sampler(@Sendable (StageSettings, SamplerContext) throws -> any Sampler)
    case trace(@Sendable (StageSettings, StageEnvironment) throws -> any TraceStage)
    case sink(@Sendable (StageSettings, StageEnvironment) throws -> any Sink)
}

/// What a stage may need from its process.
public struct StageEnvironment: Sendable {
    /// Directory that relative paths in the pipeline file are relative to: the working directory of the process.
    public var workingDirectory: String
    /// The store (`--store` or the segment sink's path).
    public var storeDirectory: String
    /// Distinguishes this process's files from those of other workers; new for every start.
    public var incarnation: String
    public var pipelineName: String
    /// Which of the worker's threads the stage is made for.
    public var worker = 0
    /// Stands for the id of the log's cluster, where that says nothing (an embedded broker's is the same at every start).
    public var clusterName: String?
    /// What stages share with each other and with the worker.
    public var shared = SharedObjects()
    /// What the stage reads; filled in for sinks.
    public var inputTypes: [PortType] = []

    public init(workingDirectory: String, storeDirectory: String, incarnation: String, pipelineName: String) {
        self.workingDirectory = workingDirectory
        self.storeDirectory = storeDirectory
        self.incarnation = incarnation
        self.pipelineName = pipelineName
    }
}

/// What a sampler needs to know besides its settings.
public struct SamplerContext {
    public var environment: StageEnvironment
    public var partition: PartitionID
    /// Scrubbers between the source and this sampler that were not applied yet, in order; the sampler applies them to what
    /// it keeps and to names in summaries.
    public var scrubbers: [any SpanScrubber]
    /// Hash of the sampler's configuration; goes into every decision.
    public var policyVersion: UInt32

    public init(
        environment: StageEnvironment, partition: PartitionID, scrubbers: [any SpanScrubber], policyVersion: UInt32
    ) {
        self.environment = environment
        self.partition = partition
        self.scrubbers = scrubbers
        self.policyVersion = policyVersion
    }
}

/// One key that a stage understands.
public struct StageOption: Sendable {
    public let name: String
    public let type: OptionType
    public let isRequired: Bool
    /// As it would be written in the file; nil where there is none.
    public let defaultText: String?
    /// One sentence for the reference documentation.
    public let summary: String
    /// True for a key that is only accepted, for the sake of files of another program; nothing reads it.
    public let isInert: Bool
    /// True for a list whose owner refuses it without elements: for editors.
    public let isNonEmpty: Bool

    public init(
        _ name: String, _ type: OptionType, required: Bool = false, default: String? = nil, isInert: Bool = false,
        isNonEmpty: Bool = false, summary: String
    ) {
        self.name = name
        self.type = type
        isRequired = required
        defaultText = `default`
        self.isInert = isInert
        self.isNonEmpty = isNonEmpty
        self.summary = summary
    }
}

/// The form of an option's value. Values with units must state them.
public indirect enum OptionType: Sendable {
    case string
    case boolean
    case integer(ClosedRange<Int64>)
    case number(ClosedRange<Double>)
    /// `500ms`, `10s`, `1m30s`, `2h`: read as milliseconds.
    case duration
    /// `64KiB`, `2GiB`, `10MB`, `512B`: read as bytes.
    case size
    case enumeration([String])
    case list(OptionType)
    case object([StageOption])
    /// Any keys with values of one type.
    case map(OptionType)
    /// A text with a form of its own, such as a rate.
    case text(TextForm)
    /// A value whose form is declared apart, such as a policy. Checked by the stage itself, and so are lists of it.
    case form(DeclaredForm)
    /// Checked by the stage itself.
    case any
}

/// Forms of values that refer to themselves, so that they cannot be written out as an `OptionType`.
public enum DeclaredForm: String, Sendable, CaseIterable {
    /// A policy of a sampler.
    case policy
    /// A policy inside another one.
    case subpolicy
    /// A step of a test: a word, or a map with one key that begins with one.
    case step
    /// A list of scrub rules, or the file that has it.
    case scrubRules = "scrub_rules"
    /// What a rule compares with: a text, a number, a truth value or nothing, or a list of these.
    case constant
}

/// How a text must look, and how people and editors are told so.
public struct TextForm: Sendable {
    /// In words, with an example: `a rate such as 100 spans/s`.
    public let expectation: String
    /// A regular expression (ECMA-262) that matches exactly the texts in this form: for editors.
    public let pattern: String
    /// Texts in this form that YAML reads as something else.
    public let otherForms: [OtherForm]
    public let isValid: @Sendable (String) -> Bool

    /// What YAML reads a text without quotes as.
    public enum OtherForm: Sendable {
        case boolean
        case wholeNumber
        case number(ClosedRange<Double>)
    }

    public init(
        _ expectation: String, pattern: String, otherForms: [OtherForm] = [],
        isValid: @escaping @Sendable (String) -> Bool
    ) {
        self.expectation = expectation
        self.pattern = pattern
        self.otherForms = otherForms
        self.isValid = isValid
    }
}
