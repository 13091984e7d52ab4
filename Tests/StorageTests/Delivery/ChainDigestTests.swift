import Pipeline
import Testing

@testable import Storage

/// What is remembered of a chain of manifests against reading each of them again.
struct ChainDigestTests {
    private static func entry(_ partition: Int32, epoch: UInt64) -> TaskEntry {
        TaskEntry(
            partition: PartitionID(cluster: "c", topic: "t", partition: partition), epoch: epoch, low: 0, high: 0,
            lanes: [], streamTime: 0, streamTimeAtLow: 0, decisionFiles: [])
    }

    /// As `FileDeliveryStore` looks where nothing is remembered.
    private static func slow(
        _ chain: [UInt64: [TaskEntry]], _ partition: PartitionID, epoch: UInt64, _ numbers: [UInt64]
    ) -> ChainDigest.Answer {
        for number in numbers.reversed() {
            guard let entry = chain[number]?.first(where: { $0.partition == partition }) else { continue }
            if entry.epoch > epoch { continue }
            return entry.epoch == epoch ? .at(number) : .nowhere
        }
        return .nowhere
    }

    @Test(
        "a remembered chain says what its manifests say, while it grows, is collected and is listed incompletely",
        arguments: 1...40 as ClosedRange<UInt64>)
    func isAsRead(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var chain: [UInt64: [TaskEntry]] = [:]
        var epochs = [UInt64](repeating: 1, count: 5)
        var next: UInt64 = 1
        var digest = ChainDigest()
        var reads = 0
        for _ in 0..<400 {
            switch Int.random(in: 0...9, using: &random) {
            case 0...3:
                let entries = (0..<4 as Range<Int32>).filter { _ in Bool.random(using: &random) }
                chain[next] = entries.map { Self.entry($0, epoch: epochs[Int($0)]) }
                next += 1
            case 4: epochs[.random(in: 0..<5, using: &random)] += 1
            case 5: if let number = chain.keys.sorted().randomElement(using: &random) { chain[number] = nil }
            default:
                var listed = chain.keys.sorted()
                // What was put there while the directory was read may be missing: here one of the last four.
                if Bool.random(using: &random), listed.count > 4 {
                    listed.remove(at: listed.count - .random(in: 1...4, using: &random))
                }
                let partition = Int32.random(in: 0..<5, using: &random)
                let epoch = UInt64.random(in: 1...max(1, epochs[Int(partition)]), using: &random)
                let id = Self.entry(partition, epoch: 0).partition
                let answer = digest.find(id, epoch: epoch, in: listed) { number in
                    reads += 1
                    return chain[number]
                }
                let expected = Self.slow(chain, id, epoch: epoch, listed)
                // What it remembers may have gone or not be listed just now: then its manifest is looked at, and each after that.
                if case .at(let number) = answer, !listed.contains(number) { continue }
                #expect(answer == expected, "partition \(partition), epoch \(epoch), seed \(seed)")
            }
        }
        #expect(reads > 0)
    }

    @Test("each manifest of a chain is read once, whoever asks")
    func readsOnce() {
        var chain: [UInt64: [TaskEntry]] = [:]
        for number in 1...500 as ClosedRange<UInt64> { chain[number] = [Self.entry(0, epoch: 3)] }
        var digest = ChainDigest()
        var reads: [UInt64] = []
        func find(_ partition: Int32, epoch: UInt64) -> ChainDigest.Answer {
            digest.find(Self.entry(partition, epoch: 0).partition, epoch: epoch, in: chain.keys.sorted()) { number in
                reads.append(number)
                return chain[number]
            }
        }
        #expect(find(0, epoch: 3) == .at(500))
        #expect(reads == [500])
        for partition in 1...100 as ClosedRange<Int32> { #expect(find(partition, epoch: 1) == .nowhere) }
        #expect(reads.count == 500)
        chain[501] = [Self.entry(7, epoch: 2)]
        #expect(find(7, epoch: 2) == .at(501))
        #expect(find(0, epoch: 3) == .at(500))
        #expect(find(7, epoch: 3) == .nowhere)
        #expect(reads.count == 501 && reads.last == 501)
        // Damaged: not remembered, and nothing is said of what may be in it.
        chain[502] = []
        for _ in 0..<2 {
            let answer = digest.find(Self.entry(0, epoch: 0).partition, epoch: 3, in: chain.keys.sorted()) { number in
                number == 502 ? nil : chain[number]
            }
            #expect(answer == .unknown)
        }
        #expect(find(0, epoch: 3) == .at(500))
    }

    @Test("names of manifests say their numbers")
    func names() {
        for number in [0, 1, 999_999_999_999, 1_000_000_000_000, .max] as [UInt64] {
            #expect(FileDeliveryStore.manifestNumber(FileDeliveryStore.manifestName(number)) == number)
        }
        for name in [
            "1.manifest", "x.manifest", ".manifest", "0000000000001.manifest", "000000000001.manifest.tmp",
            "00000000000x1.manifest", "000000000001manifest", "99999999999999999999.manifest", "+00000000001.manifest",
        ] { #expect(FileDeliveryStore.manifestNumber(name) == nil, "\(name)") }
    }
}
