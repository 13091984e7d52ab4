/// The records in flight, smallest emit time first (a binary heap; ties leave in the order they came).
struct EmitQueue: Sendable {
    private struct Entry: Sendable {
        var record: DemoRecord
        var sequence: UInt64

        func leaves(before other: Entry) -> Bool {
            record.emitTime == other.record.emitTime
                ? sequence < other.sequence : record.emitTime < other.record.emitTime
        }
    }

    private var heap: [Entry] = []
    private var pushed: UInt64 = 0

    var count: Int { heap.count }

    var firstEmitTime: UInt64? { heap.first?.record.emitTime }

    mutating func push(_ record: DemoRecord) {
        heap.append(Entry(record: record, sequence: pushed))
        pushed += 1
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].leaves(before: heap[parent]) else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    mutating func pop() -> DemoRecord? {
        guard !heap.isEmpty else { return nil }
        heap.swapAt(0, heap.count - 1)
        let first = heap.removeLast()
        var parent = 0
        while true {
            var smallest = parent
            for child in (2 * parent + 1)...(2 * parent + 2) where child < heap.count {
                if heap[child].leaves(before: heap[smallest]) { smallest = child }
            }
            if smallest == parent { return first.record }
            heap.swapAt(parent, smallest)
            parent = smallest
        }
    }
}
