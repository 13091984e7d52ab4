/// One of the two pipelines that are compared.
package enum Side: String, Sendable, CaseIterable {
    case old, new
}

/// The same thing for both sides.
package struct PerSide<Value> {
    package var old: Value
    package var new: Value

    package init(_ value: Value) {
        old = value
        new = value
    }

    package init(old: Value, new: Value) {
        self.old = old
        self.new = new
    }

    package subscript(side: Side) -> Value {
        get { side == .old ? old : new }
        _modify {
            switch side {
            case .old: yield &old
            case .new: yield &new
            }
        }
    }

    package func map<Result>(_ transform: (Value) throws -> Result) rethrows -> PerSide<Result> {
        PerSide<Result>(old: try transform(old), new: try transform(new))
    }
}

extension PerSide: Sendable where Value: Sendable {}
extension PerSide: Equatable where Value: Equatable {}
