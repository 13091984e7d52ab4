public import TraceModel

/// A trace as a tree, in the order in which it is drawn: parents before children, siblings by start time.
///
/// Made from any spans: those without their parent become roots, cycles are cut at their earliest span, and of a client and
/// a server span with one id (Zipkin's habit) the server span becomes the child. Times are shown as recorded.
public struct TraceView: Sendable {
    public struct Node: Sendable {
        public var span: Span
        public var service: String
        /// Position in the `resourceSpans` the view was made of.
        public var resource: Int
        public var scope: InstrumentationScope
        /// 0 for roots.
        public var depth: Int
        /// Position of the parent in `nodes`.
        public var parent: Int?
        public var childCount: Int
        /// Nodes below this one, which follow it directly in `nodes`.
        public var descendantCount: Int
        /// Last among its siblings.
        public var isLast: Bool
        /// Its parent is not among the spans.
        public var isOrphan: Bool

        public var isError: Bool { span.status.code == .error }
    }

    public private(set) var nodes: [Node] = []
    /// Earliest start, nanoseconds since the Unix epoch.
    public private(set) var startTime: UInt64 = 0
    /// Latest end.
    public private(set) var endTime: UInt64 = 0
    /// Names with their number of spans, most spans first.
    public private(set) var services: [(name: String, spanCount: Int)] = []
    public private(set) var errorCount = 0
    public private(set) var orphanCount = 0
    /// Levels of the tree.
    public private(set) var depth = 0

    public var duration: UInt64 { endTime > startTime ? endTime - startTime : 0 }

    /// The name of a service that spans do not tell.
    public static let unknownService = "unknown"

    public init(_ resourceSpans: [ResourceSpans]) {
        var unordered: [Node] = []
        for (position, element) in resourceSpans.enumerated() {
            let service = element.resource.serviceName ?? Self.unknownService
            for scopeSpans in element.scopeSpans {
                for span in scopeSpans.spans {
                    unordered.append(
                        Node(
                            span: span, service: service, resource: position, scope: scopeSpans.scope, depth: 0,
                            parent: nil, childCount: 0, descendantCount: 0, isLast: false, isOrphan: false))
                }
            }
        }
        addFacts(unordered)
        let parents = Self.parents(of: unordered)
        order(unordered, parents)
    }

    private mutating func addFacts(_ spans: [Node]) {
        startTime = spans.map(\.span.startTime).min() ?? 0
        endTime = spans.map { max($0.span.startTime, $0.span.endTime) }.max() ?? 0
        errorCount = spans.count { $0.isError }
        var counts: [String: Int] = [:]
        for node in spans { counts[node.service, default: 0] += 1 }
        services = counts.map { (name: $0.key, spanCount: $0.value) }
            .sorted { $0.spanCount == $1.spanCount ? $0.name < $1.name : $0.spanCount > $1.spanCount }
    }

    private enum Parent {
        case none
        case missing
        case span(Int)
    }

    private static func parents(of spans: [Node]) -> [Parent] {
        // Where several spans share an id, children belong to the server span, and else to the first.
        var owner: [SpanID: Int] = [:]
        var client: [SpanID: Int] = [:]
        for (position, node) in spans.enumerated() {
            let id = node.span.spanID
            if node.span.kind == .client, client[id] == nil { client[id] = position }
            if let known = owner[id] {
                if node.span.kind == .server, spans[known].span.kind != .server { owner[id] = position }
            } else {
                owner[id] = position
            }
        }
        return spans.indices.map { position in
            let span = spans[position].span
            if span.kind == .server, let shared = client[span.spanID] { return .span(shared) }
            if span.parentSpanID.isZero { return .none }
            guard let parent = owner[span.parentSpanID] else { return .missing }
            return .span(parent)
        }
    }

    /// Depth first, without recursion: a chain of 100,000 spans must not overflow the stack.
    private mutating func order(_ spans: [Node], _ parents: [Parent]) {
        var children = [[Int]](repeating: [], count: spans.count)
        var roots: [Int] = []
        for position in spans.indices {
            switch parents[position] {
            case .span(let parent) where parent != position: children[parent].append(position)
            default: roots.append(position)
            }
        }
        func earlier(_ left: Int, _ right: Int) -> Bool {
            let (a, b) = (spans[left].span, spans[right].span)
            return (a.startTime, a.spanID, left) < (b.startTime, b.spanID, right)
        }
        for position in children.indices { children[position].sort(by: earlier) }
        roots.sort(by: earlier)

        var placed = [Bool](repeating: false, count: spans.count)
        nodes.reserveCapacity(spans.count)
        place(roots, spans, parents, children, &placed)
        // What no root leads to hangs on a cycle: its earliest span becomes a root, until none is left.
        if nodes.count < spans.count {
            for position in spans.indices.sorted(by: earlier) where !placed[position] {
                place([position], spans, parents, children, &placed)
            }
        }
        for position in nodes.indices.reversed() {
            guard let parent = nodes[position].parent else { continue }
            nodes[parent].descendantCount += nodes[position].descendantCount + 1
            nodes[parent].childCount += 1
        }
        markLastSiblings()
    }

    private mutating func place(
        _ roots: [Int], _ spans: [Node], _ parents: [Parent], _ children: [[Int]], _ placed: inout [Bool]
    ) {
        var stack = roots.reversed().map { (position: $0, parent: Int?.none, depth: 0) }
        while let next = stack.popLast() {
            if placed[next.position] { continue }
            placed[next.position] = true
            var node = spans[next.position]
            node.parent = next.parent
            node.depth = next.depth
            if case .missing = parents[next.position] { node.isOrphan = true }
            if node.isOrphan { orphanCount += 1 }
            depth = max(depth, next.depth + 1)
            let place = nodes.count
            nodes.append(node)
            for child in children[next.position].reversed() {
                stack.append((position: child, parent: place, depth: next.depth + 1))
            }
        }
    }

    private mutating func markLastSiblings() {
        var last: [Int: Int] = [:]
        for (position, node) in nodes.enumerated() { last[node.parent ?? -1] = position }
        for position in last.values { nodes[position].isLast = true }
    }
}
