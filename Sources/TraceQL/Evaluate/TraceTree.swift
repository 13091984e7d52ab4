import TraceModel

/// How the spans of a trace are related, as nested sets: a span's descendants have numbers between its left and its right.
///
/// Tempo numbers only what hangs on a root. Here each span whose parent is missing starts a tree of its own, and a circle of
/// parents is cut at its first span, so that incomplete traces can be asked too.
struct TraceTree {
    /// Index of the parent, -1 where the trace does not have it.
    private(set) var parent: [Int32]
    private(set) var left: [Int32]
    private(set) var right: [Int32]
    /// Direct children that the trace has.
    private(set) var childCount: [Int32]
    /// Spans in pre-order: parents before their children.
    private(set) var order: [Int32] = []
    /// Equal for spans with the same parent id, -1 for roots. The parent itself may be missing.
    private(set) var siblingGroup: [Int32]
    private(set) var siblingGroupCount = 0

    init(_ spans: [SpanView]) {
        let count = spans.count
        parent = [Int32](repeating: -1, count: count)
        left = [Int32](repeating: 0, count: count)
        right = left
        childCount = left
        siblingGroup = parent
        findParents(spans)
        cutCircles()
        number()
    }

    private mutating func findParents(_ spans: [SpanView]) {
        var byID: [UInt64: Int32] = [:]
        byID.reserveCapacity(spans.count)
        for span in spans {
            // Zipkin's client and server share one id; what happens in the server belongs to the server.
            let isServer = span.kind == SpanKind.server.rawValue || span.kind == SpanKind.consumer.rawValue
            if byID[span.spanID.value] == nil || isServer { byID[span.spanID.value] = Int32(span.index) }
        }
        var groups: [UInt64: Int32] = [:]
        for span in spans where !span.parentSpanID.isZero {
            let group = groups[span.parentSpanID.value] ?? Int32(groups.count)
            groups[span.parentSpanID.value] = group
            siblingGroup[span.index] = group
            if let found = byID[span.parentSpanID.value], found != Int32(span.index) { parent[span.index] = found }
        }
        siblingGroupCount = groups.count
    }

    /// Cuts circles of parents, which only mistakes and attacks have, at their first span.
    private mutating func cutCircles() {
        // The walk that came by, so that each span is walked once.
        var walks = [Int32](repeating: -1, count: parent.count)
        for start in parent.indices {
            var span = start
            while walks[span] < 0 {
                walks[span] = Int32(start)
                if parent[span] < 0 { break }
                span = Int(parent[span])
            }
            guard walks[span] == Int32(start), parent[span] >= 0 else { continue }
            var first = span
            var next = Int(parent[span])
            while next != span {
                first = min(first, next)
                next = Int(parent[next])
            }
            parent[first] = -1
        }
    }

    private mutating func number() {
        let count = parent.count
        for index in 0..<count where parent[index] >= 0 { childCount[Int(parent[index])] += 1 }
        // Children of each span side by side, in the order of the trace.
        var firstChild = [Int32](repeating: 0, count: count + 1)
        for index in 0..<count { firstChild[index + 1] = firstChild[index] + childCount[index] }
        var children = [Int32](repeating: 0, count: Int(firstChild[count]))
        var next = firstChild
        for index in 0..<count where parent[index] >= 0 {
            children[Int(next[Int(parent[index])])] = Int32(index)
            next[Int(parent[index])] += 1
        }
        order.reserveCapacity(count)
        var counter: Int32 = 0
        var cursor = firstChild
        var open: [Int32] = []
        for root in 0..<count where parent[root] < 0 {
            open.append(Int32(root))
            while let span = open.last.map({ Int($0) }) {
                if left[span] == 0 {
                    counter += 1
                    left[span] = counter
                    order.append(Int32(span))
                }
                let child = cursor[span]
                if child < firstChild[span + 1] {
                    cursor[span] += 1
                    open.append(children[Int(child)])
                } else {
                    counter += 1
                    right[span] = counter
                    open.removeLast()
                }
            }
        }
    }

    /// The left number of the parent; -1 for a root, as in Tempo.
    func parentNumber(of index: Int) -> Int64 {
        parent[index] < 0 ? -1 : Int64(left[Int(parent[index])])
    }
}
