import ArgumentParser
import Query
import Server
import Storage
import Tailrace

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Serves the traces of a store: page, API, metrics.",
        discussion: "Example: tailrace serve --store /var/lib/tailrace --listen 0.0.0.0:16686")

    @Option(help: "Directory of the store.") var store: String
    @Option(help: "Address to listen on.") var listen = "127.0.0.1:16686"

    func run() async throws {
        let address = try ListenAddress(listen)
        let traces = Serving.store(store)
        let log = EventLog()
        let explainer = TraceExplainer(layout: StoreLayout(root: store), store: traces)
        let server = TailraceServer(
            configuration: TailraceServer.Configuration(host: address.host, port: address.port), store: traces,
            explain: { try explainer.explain($0) },
            metrics: { StoreMetrics.render(traces) }, health: { StoreMetrics.health(traces) })
        try await Serving.run(
            server, address: address,
            onListening: { log.write("serving \(store) on http://\(address.host):\($0)") }, drain: {})
    }
}
