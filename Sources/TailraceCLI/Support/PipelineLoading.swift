import Pipeline
import Tailrace

/// Loads pipeline files for commands and shows what is wrong with them.
enum PipelineLoading {
    /// - Throws: `CommandFailure` after all mistakes were written to stderr.
    static func load(_ path: String) throws -> PipelinePlan { try load(path, takesSampler: false) }

    /// - Parameter takesSampler: the file may have a sampler only, see `SamplerFile`.
    static func load(_ path: String, takesSampler: Bool) throws -> PipelinePlan {
        let (plan, diagnostics) = check(path, takesSampler: takesSampler)
        guard let plan, !diagnostics.hasErrors else {
            let count = diagnostics.sorted.filter { $0.severity == .error }.count
            throw CommandFailure("\(path): \(count == 1 ? "one error" : "\(count) errors"), nothing was started")
        }
        return plan
    }
}

extension PipelineLoading {
    /// Loads a pipeline file and shows on stderr what is wrong with it, each mistake with its line and a caret.
    static func check(
        _ path: String, environment: [String: String] = ProcessEnvironment.variables, takesSampler: Bool = false
    ) -> (plan: PipelinePlan?, diagnostics: Diagnostics) {
        var document = YAMLLoader.load(path: path, environment: environment)
        if takesSampler { document = SamplerFile.pipeline(around: document) }
        let (plan, diagnostics) = PipelinePlan.load(document, registry: .builtIn)
        show(diagnostics, of: document)
        return (plan, diagnostics)
    }

    static func show(_ diagnostics: Diagnostics, of document: YAMLDocument) {
        var sources = [document.file: document.text]
        // Files that the pipeline names, for example scrub rules.
        for file in Set(diagnostics.all.map(\.location.file)) where sources[file] == nil {
            sources[file] = YAMLLoader.load(path: file, environment: nil).text
        }
        Terminal.write(diagnostics.rendered(sources: sources))
    }
}

/// `HOST:PORT` as options take it.
struct ListenAddress {
    var host: String
    var port: Int

    /// - Parameter option: named in the complaint.
    init(_ text: String, option: String = "--listen") throws {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (0...65535).contains(port)
        else {
            throw CommandFailure("\(option) \(text) is no address; write HOST:PORT, for example 127.0.0.1:16686")
        }
        host = String(text[..<colon])
        if host.isEmpty { host = "127.0.0.1" }
        self.port = port
    }
}
