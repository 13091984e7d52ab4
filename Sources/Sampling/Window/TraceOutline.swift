import TraceModel

/// The part of a trace that leads to its errors: the spans with an error, all their ancestors, and the root.
///
/// What a budget keeps of a trace with an error where it cannot pay for all of it. Fed with every span of one trace, in any order; the
/// same spans give the same outline in every order. Used again for the next trace after `removeAll`.
/// Time and memory are linear in the number of spans, whatever parents they name: also with cycles.
package struct TraceOutline {
    private var ids: [SpanID] = []
    private var parents: [SpanID] = []
    /// By span: whether it is in the outline.
    package private(set) var isIn: [Bool] = []
    /// Spans with an error, and roots.
    private var ends: [Int] = []
    /// By id the last span that has it, by span the one before it with the same id: a client and a server span may share one.
    private var last: [SpanID: Int] = [:]
    private var previous: [Int] = []

    package init() {}

    package mutating func removeAll() {
        ids.removeAll(keepingCapacity: true)
        parents.removeAll(keepingCapacity: true)
        isIn.removeAll(keepingCapacity: true)
        ends.removeAll(keepingCapacity: true)
    }

    package mutating func add(_ id: SpanID, parent: SpanID, isError: Bool) {
        if isError || parent.isZero { ends.append(ids.count) }
        ids.append(id)
        parents.append(parent)
    }

    /// Fills `isIn`, in the order in which the spans were added.
    package mutating func find() {
        isIn.append(contentsOf: repeatElement(false, count: ids.count))
        previous.removeAll(keepingCapacity: true)
        last.removeAll(keepingCapacity: true)
        for (position, id) in ids.enumerated() {
            previous.append(last.updateValue(position, forKey: id) ?? -1)
        }
        for position in ends { isIn[position] = true }
        // Whoever is in the outline is on the list once, and an id's callers are added once: they are taken off its chain.
        while let position = ends.popLast() {
            if parents[position].isZero { continue }
            var caller = last.removeValue(forKey: parents[position]) ?? -1
            while caller >= 0 {
                if !isIn[caller] {
                    isIn[caller] = true
                    ends.append(caller)
                }
                caller = previous[caller]
            }
        }
    }
}
