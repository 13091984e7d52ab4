/// Structural operators, each in time linear in the trace.
enum SpanRelations {
    /// The spans that `left operator right` finds, ascending.
    ///
    /// - Parameters: spans of the left and right side, ascending.
    static func apply(_ binary: SpansetOperator, _ left: [Int32], _ right: [Int32], _ tree: TraceTree) -> [Int32] {
        switch binary {
        case .and, .or: return []
        case .child: return right.filter(isRelated(.child, to: left, tree))
        case .parent: return right.filter(isRelated(.parent, to: left, tree))
        case .descendant: return right.filter(isRelated(.descendant, to: left, tree))
        case .ancestor: return right.filter(isRelated(.ancestor, to: left, tree))
        case .sibling: return right.filter(isRelated(.sibling, to: left, tree))
        case .notChild: return unrelated(.child, left, right, tree)
        case .notParent: return unrelated(.parent, left, right, tree)
        case .notDescendant: return unrelated(.descendant, left, right, tree)
        case .notAncestor: return unrelated(.ancestor, left, right, tree)
        case .notSibling: return unrelated(.sibling, left, right, tree)
        case .unionChild: return both(.child, .parent, left, right, tree)
        case .unionParent: return both(.parent, .child, left, right, tree)
        case .unionDescendant: return both(.descendant, .ancestor, left, right, tree)
        case .unionAncestor: return both(.ancestor, .descendant, left, right, tree)
        case .unionSibling: return both(.sibling, .sibling, left, right, tree)
        }
    }

    private enum Relation {
        case child
        case parent
        case descendant
        case ancestor
        case sibling
    }

    private static func unrelated(
        _ relation: Relation, _ left: [Int32], _ right: [Int32], _ tree: TraceTree
    ) -> [Int32] {
        let isRelated = isRelated(relation, to: left, tree)
        return right.filter { !isRelated($0) }
    }

    /// The spans of the right side that are so related to the left, and those of the left that they are related to.
    private static func both(
        _ relation: Relation, _ inverse: Relation, _ left: [Int32], _ right: [Int32], _ tree: TraceTree
    ) -> [Int32] {
        let fromRight = right.filter(isRelated(relation, to: left, tree))
        let fromLeft = left.filter(isRelated(inverse, to: right, tree))
        return Array(Set(fromRight).union(fromLeft)).sorted()
    }

    /// Tells of a span whether it is the child (parent, …) of one of `others`.
    private static func isRelated(_ relation: Relation, to others: [Int32], _ tree: TraceTree) -> (Int32) -> Bool {
        let count = tree.parent.count
        var marks = [Bool](repeating: false, count: count)
        switch relation {
        case .child:
            for other in others { marks[Int(other)] = true }
            return { span in tree.parent[Int(span)] >= 0 && marks[Int(tree.parent[Int(span)])] }
        case .parent:
            for other in others where tree.parent[Int(other)] >= 0 { marks[Int(tree.parent[Int(other)])] = true }
            return { span in marks[Int(span)] }
        case .descendant:
            var isOther = marks
            for other in others { isOther[Int(other)] = true }
            // Parents come first, so that what is above a span is known when it is reached.
            for span in tree.order where tree.parent[Int(span)] >= 0 {
                let parent = Int(tree.parent[Int(span)])
                marks[Int(span)] = marks[parent] || isOther[parent]
            }
            return { span in marks[Int(span)] }
        case .ancestor:
            var isOther = marks
            for other in others { isOther[Int(other)] = true }
            for span in tree.order.reversed() where tree.parent[Int(span)] >= 0 {
                if marks[Int(span)] || isOther[Int(span)] { marks[Int(tree.parent[Int(span)])] = true }
            }
            return { span in marks[Int(span)] }
        case .sibling:
            var isOther = marks
            var counts = [Int32](repeating: 0, count: tree.siblingGroupCount)
            for other in others {
                isOther[Int(other)] = true
                if tree.siblingGroup[Int(other)] >= 0 { counts[Int(tree.siblingGroup[Int(other)])] += 1 }
            }
            return { span in
                let group = tree.siblingGroup[Int(span)]
                // A span is no sibling of itself.
                return group >= 0 && counts[Int(group)] > (isOther[Int(span)] ? 1 : 0)
            }
        }
    }
}
