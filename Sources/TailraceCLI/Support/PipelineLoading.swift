import Pipeline
import Tailrace

/// Loads pipeline files for commands and shows what is wrong with them.
enum PipelineLoading {
    /// - Throws: `CommandFailure` after all mistakes were written to stderr.
    static func load(_ path: String) throws -> PipelinePlan {
        let (plan, diagnostics) = PipelinePlan.load(
            path: path, registry: .builtIn, environment: ProcessEnvironment.variables)
        let text = diagnostics.rendered()
        if !text.isEmpty { Terminal.write(text.hasSuffix("\n") ? text : text + "\n") }
        guard let plan, !diagnostics.hasErrors else {
            let count = diagnostics.sorted.filter { $0.severity == .error }.count
            throw CommandFailure("\(path): \(count == 1 ? "one error" : "\(count) errors"), nothing was started")
        }
        return plan
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
