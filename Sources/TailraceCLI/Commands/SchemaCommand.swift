import ArgumentParser
import Tailrace

struct SchemaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema", abstract: "Prints what pipeline files may say: a JSON Schema for editors.",
        discussion: """
            The schema is that of this program's version. An editor with a YAML language server uses it where a file begins with
              # yaml-language-server: $schema=pipeline.schema.json
            Example: tailrace schema > pipeline.schema.json
            """)

    @Flag(help: "Print the reference documentation instead, as Markdown.") var markdown = false

    func run() { print(markdown ? PipelineReference().text : PipelineSchema().text, terminator: "") }
}
