/// The keys of a pipeline file outside the stages' own options, declared once for the parser, the JSON Schema and the
/// reference documentation.
public enum PipelineFileKeys {
    /// Names of pipelines and stages appear in file names, metrics and `from`.
    public static let nameForm = TextForm(
        "a name of letters, digits, \"-\" and \"_\"", pattern: "^[A-Za-z0-9_-]{1,100}$",
        otherForms: [.wholeNumber, .boolean], isValid: isName)

    /// `stage` or `stage.port`.
    public static let referenceForm = TextForm(
        "stage or stage.port", pattern: "^[^.]+(\\..+)?$",
        otherForms: [.number(-.infinity ... .infinity), .boolean],
        isValid: { text in
            let reference = StageReference(text, at: SourceLocation(file: "", line: 1, column: 1))
            return !reference.stage.isEmpty && reference.port != ""
        })

    /// Top level.
    public static let file: [StageOption] = [
        StageOption(
            "pipeline", .text(nameForm), required: true, summary: "the pipeline's name: a label of all its metrics"),
        // The values are declared by the stage kinds.
        StageOption(
            "stages", .map(.any), required: true,
            summary: "each key is a stage's name, each value has kind, from and the options of the kind"),
        StageOption(
            "tests", .list(.object(PipelineTestOptions.test)), summary: "what the pipeline is expected to decide"),
    ]

    /// Keys of every stage.
    public static let stage: [StageOption] = [
        StageOption("kind", .string, required: true, summary: "what the stage is"),
        StageOption(
            "from", .list(.text(referenceForm)), required: true, isNonEmpty: true,
            summary: "what the stage reads: stage or stage.port, or a list of these; not for sources"),
    ]

    /// Keys with this start are ignored at the top level: a place for YAML anchors, as in other dialects.
    public static let ignoredPrefix = "x-"
    /// More stages are refused; nobody writes them, and every drawing and check stays quick.
    public static let maximumStageCount = 500

    static func isName(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 100
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }
}
