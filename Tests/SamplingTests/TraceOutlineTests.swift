import Testing
import TraceModel

@testable import Sampling

struct TraceOutlineTests {
    private struct Link: Hashable {
        var id: UInt64
        var parent: UInt64
        var isError = false
    }

    /// Positions of the spans in the outline.
    private static func outline(_ links: [Link]) -> [Int] {
        var outline = TraceOutline()
        for link in links { outline.add(SpanID(link.id), parent: SpanID(link.parent), isError: link.isError) }
        outline.find()
        return outline.isIn.indices.filter { outline.isIn[$0] }
    }

    @Test("an outline is the root, the spans with an error and the way between them")
    func way() {
        let links = [
            Link(id: 1, parent: 0), Link(id: 2, parent: 1), Link(id: 3, parent: 2, isError: true),
            Link(id: 4, parent: 3),
            Link(id: 5, parent: 1), Link(id: 6, parent: 5),
        ]
        #expect(Self.outline(links) == [0, 1, 2])
        // Where the root did not come, and where an error has lost its parent.
        #expect(Self.outline(Array(links[1...])) == [0, 1])
        #expect(Self.outline(links + [Link(id: 8, parent: 7, isError: true)]) == [0, 1, 2, 6])
        #expect(Self.outline([]) == [])
    }

    @Test("a client and a server span of one id are both above what they call; cycles end")
    func strange() {
        // Zipkin's habit: span 2 is there twice, once as the child of itself.
        let shared = [
            Link(id: 1, parent: 0), Link(id: 2, parent: 1), Link(id: 2, parent: 2),
            Link(id: 3, parent: 2, isError: true),
            Link(id: 4, parent: 2),
        ]
        #expect(Self.outline(shared) == [0, 1, 2, 3])
        let cycle = [Link(id: 1, parent: 3), Link(id: 2, parent: 1), Link(id: 3, parent: 2, isError: true)]
        #expect(Self.outline(cycle) == [0, 1, 2])
    }

    @Test("in whatever order spans come the outline is that of a simple search", arguments: 1...20)
    func anyOrder(seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        for _ in 0..<50 {
            let count = Int.random(in: 1...40, using: &random)
            let links = (1...count).map { number in
                Link(
                    id: UInt64.random(in: 1...UInt64(count), using: &random),
                    parent: UInt64.random(in: 0...UInt64(number + 2), using: &random),
                    isError: Int.random(in: 0..<6, using: &random) == 0)
            }
            var isIn = Set(links.indices.filter { links[$0].isError || links[$0].parent == 0 })
            while true {
                let parents = Set(isIn.map { links[$0].parent })
                let more = links.indices.filter { parents.contains(links[$0].id) && links[$0].id != 0 }
                if isIn.isSuperset(of: more) { break }
                isIn.formUnion(more)
            }
            #expect(Set(Self.outline(links)) == isIn, "seed \(seed)")
            let shuffled = links.indices.shuffled(using: &random)
            #expect(Set(Self.outline(shuffled.map { links[$0] }).map { shuffled[$0] }) == isIn, "seed \(seed)")
        }
    }

    @Test("a chain of 200,000 spans, a star and spans of one id take linear time")
    func large() {
        let count: UInt64 = 200_000
        let chain = (1...count).map { Link(id: $0, parent: $0 - 1, isError: $0 == count) }
        #expect(Self.outline(chain).count == Int(count))
        let star = (1...count).map { Link(id: $0, parent: $0 == 1 ? 0 : 1, isError: $0 % 2 == 0) }
        #expect(Self.outline(star).count == Int(count / 2) + 1)
        let same = (1...count).map { Link(id: 7, parent: 7, isError: $0 == 5) }
        #expect(Self.outline(same).count == Int(count))
    }
}
