import Testing

@testable import Tailrace

@Suite("Partitions that are read together in time")
struct PartitionAlignmentTests {
    private typealias Change = PartitionAlignment.Change

    @Test("a partition that is ahead waits for the slowest one, and goes on when that has come near")
    func waits() {
        var alignment = PartitionAlignment(maximumDrift: 30_000)
        #expect(alignment.update(own: [0: (100_000, true), 1: (75_000, true)], others: []) == Change())
        #expect(alignment.update(own: [0: (110_000, true), 1: (75_000, true)], others: []) == Change(pause: [0]))
        // Not at once: what was fetched ahead is thrown away by a pause.
        #expect(alignment.update(own: [0: (110_000, true), 1: (90_000, true)], others: []) == Change())
        #expect(alignment.update(own: [0: (110_000, true), 1: (95_000, true)], others: []) == Change(resume: [0]))
    }

    @Test("a partition at its end makes nobody wait")
    func atEnd() {
        var alignment = PartitionAlignment(maximumDrift: 30_000)
        #expect(alignment.update(own: [0: (900_000, true), 1: (10, false)], others: []) == Change())
        #expect(alignment.update(own: [0: (900_000, true), 1: (10, true)], others: []) == Change(pause: [0]))
        #expect(alignment.update(own: [0: (900_000, true), 1: (10, false)], others: []) == Change(resume: [0]))
    }

    @Test("partitions of other workers count, also those that have said no time yet")
    func others() {
        var alignment = PartitionAlignment(maximumDrift: 30_000)
        #expect(alignment.update(own: [0: (100_000, true)], others: [60_000]) == Change(pause: [0]))
        #expect(alignment.update(own: [0: (100_000, true)], others: [90_000]) == Change(resume: [0]))
        #expect(alignment.update(own: [0: (100_000, true)], others: [90_000, nil]) == Change(pause: [0]))
        #expect(alignment.update(own: [0: (100_000, true)], others: []) == Change(resume: [0]))
    }

    @Test("a partition of which nothing has come is never stopped, and stops the others")
    func unread() {
        var alignment = PartitionAlignment(maximumDrift: 30_000)
        #expect(alignment.update(own: [0: (100_000, true), 1: (nil, true)], others: []) == Change(pause: [0]))
        #expect(alignment.update(own: [0: (100_000, true), 1: (99_000, true)], others: []) == Change(resume: [0]))
    }

    @Test("a partition that was given away is not remembered as waiting")
    func revoked() {
        var alignment = PartitionAlignment(maximumDrift: 30_000)
        _ = alignment.update(own: [0: (100_000, true), 1: (10, true)], others: [])
        #expect(alignment.waiting == [0])
        _ = alignment.update(own: [1: (10, true)], others: [])
        #expect(alignment.waiting.isEmpty)
    }

    @Test("the time beside a committed offset is read, and nothing else")
    func metadata() {
        #expect(KafkaSource.time(inMetadata: "t1700000000000") == 1_700_000_000_000)
        for text in ["", "t", "x5", "t-9223372036854775808", "tailrace"] {
            #expect(KafkaSource.time(inMetadata: text) == nil)
        }
    }
}
