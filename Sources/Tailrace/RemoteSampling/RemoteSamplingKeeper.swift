import Pipeline
import RemoteSampling
import Storage
import Synchronization

/// Lets time pass for remote sampling where no spans come, and stores its state after each calculation, on a thread of its
/// own: a slow disk must not stop a worker thread.
final class RemoteSamplingKeeper: @unchecked Sendable {
    // @unchecked: `thread` is set once by `start` and read by `stop`, which the worker calls one after the other.
    private let objects: SharedObjects
    private let directory: String
    private let pipeline: String
    private let incarnation: String
    private let log: @Sendable (String) -> Void
    private let isStopping = Atomic(false)
    private var thread: NamedThread?

    /// - Parameter directory: where states are kept. Workers with one store write the same file; each sees a part of the
    ///   same traffic, so it does not matter whose state is found.
    init(
        _ objects: SharedObjects, directory: String, pipeline: String, incarnation: String,
        log: @escaping @Sendable (String) -> Void
    ) {
        self.pipeline = pipeline
        self.objects = objects
        self.directory = directory
        self.incarnation = incarnation
        self.log = log
    }

    var services: [RemoteSamplingService] { objects.all(RemoteSamplingService.self) }

    func strategy(for service: String) -> SamplingStrategy? { services.first?.strategy(for: service) }

    /// Takes over what was learnt before a restart.
    func restore(_ plan: PipelinePlan) {
        for stage in plan.stages where stage.kind == RemoteSamplingStage.definition.kind {
            let service = RemoteSamplingService.shared(
                objects, stage: stage.name, settings: RemoteSamplingStage.settings(stage.settings))
            if let bytes = try? LocalFileSystem().read(path(service)) { _ = service.restore(bytes) }
        }
    }

    func start() throws {
        thread = try NamedThread(name: "remote-sampling") { [unowned self] in run() }
    }

    func stop() {
        isStopping.store(true, ordering: .relaxed)
        thread?.join()
        thread = nil
        for service in services { store(service, service.state) }
    }

    private func run() {
        var last = WallClock.monotonic()
        while !isStopping.load(ordering: .relaxed) {
            NamedThread.pause(milliseconds: 100)
            guard WallClock.monotonic() - last >= 1000 else { continue }
            last = WallClock.monotonic()
            for service in services {
                if let state = service.advance() { store(service, state) }
            }
        }
    }

    private func path(_ service: RemoteSamplingService) -> String {
        let name = "\(pipeline).\(service.name)".map { $0 == "/" ? "_" : $0 }
        return "\(directory)/\(String(name)).state"
    }

    private func store(_ service: RemoteSamplingService, _ state: [UInt8]) {
        let files = LocalFileSystem()
        do {
            try files.createDirectory(directory)
            let temporary = "\(path(service)).\(incarnation).tmp"
            try files.writeDurably(state, to: temporary)
            try files.renameDurably(temporary, to: path(service))
        } catch {
            log("the state of remote sampling is not stored: \(error)")
        }
    }
}
