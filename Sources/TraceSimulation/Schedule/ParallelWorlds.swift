import Glibc
import Pipeline
import Synchronization

/// Runs worlds on several threads. Each world is a function of its plan, so nothing depends on which thread it is.
package enum ParallelWorlds {
    /// One per processor, but not more than there is work for.
    package static let processors = max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))

    private struct Progress<Result> {
        var next = 0
        var results: [Int: Result] = [:]
        /// Nothing behind it is begun.
        var end: Int
    }

    /// The results in the order of the items.
    ///
    /// - Parameter isLast: no item behind one with such a result is of interest; those before it are still finished.
    package static func map<Item: Sendable, Result: Sendable>(
        _ items: [Item], threads: Int = processors, until isLast: @escaping @Sendable (Result) -> Bool = { _ in false },
        _ body: @escaping @Sendable (Item) -> Result
    ) -> [Result] {
        let progress = Shared(Progress<Result>(end: items.count))
        let work: @Sendable () -> Void = {
            while true {
                let index: Int? = progress.state.withLock { progress in
                    guard progress.next < progress.end else { return nil }
                    defer { progress.next += 1 }
                    return progress.next
                }
                guard let index else { return }
                let result = body(items[index])
                progress.state.withLock { progress in
                    progress.results[index] = result
                    if isLast(result) { progress.end = min(progress.end, index + 1) }
                }
            }
        }
        var helpers: [NamedThread] = []
        for _ in 1..<max(1, min(threads, items.count)) {
            // Without another thread this one does it all.
            if let thread = try? NamedThread(name: "worlds", work) { helpers.append(thread) }
        }
        work()
        for helper in helpers { helper.join() }
        return progress.state.withLock { progress in (0..<progress.end).compactMap { progress.results[$0] } }
    }

    private final class Shared<Result: Sendable>: Sendable {
        let state: Mutex<Progress<Result>>

        init(_ progress: sending Progress<Result>) { state = Mutex(progress) }
    }
}
