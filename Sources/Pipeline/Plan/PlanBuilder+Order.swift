extension PlanBuilder {
    /// For each declaration the stages that read from it, in the order of the file.
    private var readers: [[Int]] {
        var readers = [[Int]](repeating: [], count: declarations.count)
        for index in declarations.indices {
            for link in links[index] where readers[link.stage].last != index { readers[link.stage].append(index) }
        }
        return readers
    }

    /// Reports each cycle once, and returns the stages that are on one.
    mutating func reportCycles() -> Set<Int> {
        let readers = readers
        var cyclic: Set<Int> = []
        for start in declarations.indices where !cyclic.contains(start) {
            guard let path = shortestPath(from: start, backTo: start, readers) else { continue }
            // One cycle through each stage is enough to start repairing.
            cyclic.formUnion(path)
            let names = (path + [start]).map { declarations[$0].name }
            let closing = links[start].first { $0.stage == path.last }
            diagnostics.error(
                "the stages form a cycle: \(names.joined(separator: " → "))",
                at: closing?.location ?? declarations[start].location)
        }
        return cyclic
    }

    /// The stages of the shortest cycle through `start`, beginning with it; nil where there is none.
    private func shortestPath(from start: Int, backTo end: Int, _ readers: [[Int]]) -> [Int]? {
        var cameFrom: [Int: Int] = [:]
        var queue = [start]
        var next = 0
        while next < queue.count {
            let current = queue[next]
            next += 1
            for reader in readers[current] {
                if reader == end {
                    var path = [current]
                    while let last = path.last, last != start, let before = cameFrom[last] { path.append(before) }
                    return path.reversed()
                }
                guard cameFrom[reader] == nil else { continue }
                cameFrom[reader] = current
                queue.append(reader)
            }
        }
        return nil
    }

    /// Reports stages that no path from a source leads to. What is on a cycle, or below a mistake in `from`, is
    /// reported as that.
    mutating func reportUnreachable(cyclic: Set<Int>) {
        guard !cyclic.isEmpty else { return }
        let readers = readers
        let starts = declarations.indices.filter { index in
            declarations[index].isSource || declarations[index].isBroken || declarations[index].definition == nil
        }
        var reached = Set(starts)
        var queue = starts
        while let current = queue.popLast() {
            for reader in readers[current] where reached.insert(reader).inserted { queue.append(reader) }
        }
        for index in declarations.indices where !reached.contains(index) && !cyclic.contains(index) {
            diagnostics.error(
                "\(subject(index)) is unreachable: no path leads to it from a source", at: declarations[index].location)
        }
    }

    /// Stages after what they read from, otherwise in the order of the file. Only where there is no cycle.
    func topologicalOrder() -> [Int] {
        let readers = readers
        var waitingFor = links.map { Set($0.map(\.stage)).count }
        var ready = Set(declarations.indices.filter { waitingFor[$0] == 0 })
        var order: [Int] = []
        while let next = ready.min() {
            ready.remove(next)
            order.append(next)
            for reader in readers[next] {
                waitingFor[reader] -= 1
                if waitingFor[reader] == 0 { ready.insert(reader) }
            }
        }
        return order
    }

    /// For each declaration the scrubbers its input has passed. Reports stages that differently scrubbed paths lead to:
    /// what is stored there would depend on the way it took.
    mutating func scrubberChains(in order: [Int]) -> [[Int]] {
        var chains = [[Int]](repeating: [], count: declarations.count)
        var paths = declarations.indices.map { [$0] }
        for index in order {
            var first: (chain: [Int], path: [Int])?
            for link in links[index] where !carriesRejects(link) {
                let isScrubber = declarations[link.stage].definition?.role == .scrubber
                let chain = chains[link.stage] + (isScrubber ? [link.stage] : [])
                let path = paths[link.stage] + [index]
                guard let known = first else {
                    first = (chain, path)
                    continue
                }
                if known.chain != chain {
                    diagnostics.error(
                        "\(subject(index)): its inputs are scrubbed differently: \(passed(known)), "
                            + "\(passed((chain, path))); all paths into a stage must pass the same scrubbers in the "
                            + "same order", at: link.location)
                    break
                }
            }
            if let first {
                chains[index] = first.chain
                paths[index] = first.path
            } else if let link = links[index].first {
                paths[index] = paths[link.stage] + [index]
            }
        }
        return chains
    }

    /// Rejects hold records as they came, wherever they were rejected.
    private func carriesRejects(_ link: Link) -> Bool {
        guard let port = link.port, let definition = declarations[link.stage].definition else { return false }
        return definition.outputs[port].type == .rejects
    }

    /// `spans → scrub → sample passes scrub`
    private func passed(_ way: (chain: [Int], path: [Int])) -> String {
        let path = way.path.map { declarations[$0].name }.joined(separator: " → ")
        let scrubbers = way.chain.map { declarations[$0].name }.joined(separator: ", ")
        return "\(path) passes \(scrubbers.isEmpty ? "no scrubber" : scrubbers)"
    }
}
