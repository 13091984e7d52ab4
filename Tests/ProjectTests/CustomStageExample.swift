import OTLP
import Pipeline
import Tailrace

/// The stage kind `tenants`: spans of the named tenants go on, all others leave on the port `others`.
enum TenantStage {
    static let definition = StageDefinition(
        kind: "tenants", role: .filter, summary: "Lets the spans of some tenants pass.",
        inputs: [.spans],
        outputs: [
            OutputPort("spans", .spans, summary: "spans of the named tenants"),
            OutputPort("others", .spans, isSide: true, summary: "all other spans"),
        ],
        options: [
            StageOption("names", .list(.string), required: true, summary: "values of the attribute tenant.id")
        ],
        check: { settings, diagnostics in
            guard let names = settings.value["names"], settings.strings("names").isEmpty else { return }
            diagnostics.error("names is empty, so no span would pass", at: names.location)
        },
        // A scrubber before this stage that can change tenant.id is applied before it, not after the sampler.
        attributeKeysRead: { _ in ["tenant.id"] },
        make: .filter { settings, _ in TenantFilter(names: settings.strings("names")) })
}

/// One instance per task, used by one thread: it needs no lock and need not be Sendable.
final class TenantFilter: SpanFilter {
    private static let key = Array("tenant.id".utf8)
    private let names: [[UInt8]]

    init(names: [String]) { self.names = names.map { Array($0.utf8) } }

    /// Called once per record. Sorts indices into `batch.heads`; spans themselves are not copied.
    func sort(
        _ batch: SpanBatch, _ selection: borrowing [UInt32], context: borrowing RecordContext,
        into outputs: inout SpanFilterOutputs
    ) {
        for position in 0..<selection.count {
            let index = selection[position]
            outputs.ports[passes(batch.heads[Int(index)], batch) ? 0 : 1].append(index)
        }
    }

    /// The span's own attribute counts before its resource's. Bytes are compared as they came: no string is made.
    private func passes(_ head: SpanHead, _ batch: SpanBatch) -> Bool {
        let resource = batch.bytes(batch.units[Int(head.unit)].resource)
        let value =
            AttributeLookup.value(of: Self.key, in: batch.bytes(head.attributes), .span)
            ?? AttributeLookup.value(of: Self.key, in: resource, .resource)
        guard case .string(let tenant)? = value else { return false }
        return names.contains { $0.elementsEqual(tenant) }
    }
}

/// Loads a pipeline file that may use `tenants` beside the built-in kinds, and starts a worker.
func startWorker(pipeline path: String) throws -> TailraceWorker {
    var registry = StageRegistry.builtIn
    registry.register(TenantStage.definition)
    let (plan, diagnostics) = PipelinePlan.load(
        path: path, registry: registry, environment: ProcessEnvironment.variables)
    guard let plan else { throw StageError(diagnostics.rendered()) }
    let worker = try TailraceWorker(plan: plan, options: TailraceWorker.Options()) { line in print(line) }
    try worker.start()
    return worker
}
