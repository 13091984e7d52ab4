public import Pipeline
public import TraceModel

extension WindowSampler {
    public func openTrace(_ id: TraceID) -> OpenTrace? {
        let index = store.table.find(id)
        guard index != TraceTable.none else { return nil }
        let state = store.table[index]
        return OpenTrace(
            spanCount: state.spanCount, errorCount: state.errorCount, byteCount: state.byteCount,
            hasRoot: state.rootSeen != .max, firstSeen: state.firstSeen, lastSeen: state.lastSeen,
            closesAt: settings.deadline(of: state))
    }
}
