import Pipeline
import TraceModel

/// I6 of a trace that is kept in outline: of the spans of before the decision those with an error, those above them and the roots
/// are stored, of later ones those with an error, and nothing else.
extension Oracle {
    /// The trace is kept, and this span of it is not.
    func isLeftOut(_ copy: ProducedSpan) -> Bool {
        guard !copy.isError,
            let record = decisions[copy.identity.traceID]?.first(where: { $0.isKept && $0.isOutline })
        else { return false }
        return !isBefore(copy, record) || !outline(of: record).contains(copy.identity)
    }

    func checkOutline(_ row: StoreImage.Row, _ record: DecisionRecord) {
        world.reach(.keptInOutline)
        guard losses[row.partition] == nil, lostStores == 0 else { return }
        for number in row.copies where number >= 0 && number < world.workload.spans.count {
            let copy = span(number)
            if isLeftOut(copy) {
                violated(.wholeTrace, "span \(describe(copy)) is stored, and its trace is kept in outline")
            }
        }
    }

    private func isBefore(_ copy: ProducedSpan, _ record: DecisionRecord) -> Bool {
        copy.offset >= 0 && copy.offset <= record.lastOffset
    }

    private func outline(of record: DecisionRecord) -> Set<ProducedSpan.Identity> {
        let copies = (copiesOfTrace[record.traceID] ?? []).map(span).filter { isBefore($0, record) }
        var outline = copies.filter { $0.isError || $0.parent.isZero }
        var count = 0
        while outline.count > count {
            count = outline.count
            let parents = Set(outline.map(\.parent))
            let known = Set(outline.map(\.identity))
            outline += copies.filter { parents.contains($0.identity.spanID) && !known.contains($0.identity) }
        }
        return Set(outline.map(\.identity))
    }
}
