/// Which spans of a partition still await their effect. One per sampler of a task: the sampler takes refs (offset, index of
/// span in record) into custody and gives them back when they are stored, dropped by a decision, or dead-lettered.
///
/// Follows spec/delivery.md section 3: a queue of records with a count of outstanding refs and a bit per ref; the head moves
/// when its record has none. A pure state machine.
package struct OffsetLedger: Sendable {
    private struct Record {
        var offset: Int64
        /// Stream time before the record was processed: a replay that starts here starts with this time.
        var streamTimeBefore: Int64
        /// Absolute index of the record's first bit.
        var firstBit: UInt64
        var spanCount: UInt32
        var outstanding: UInt32
    }

    private var records: [Record] = []
    private var head = 0
    /// A set bit is an outstanding ref. Word 0 holds the bits from `firstWord * 64` on.
    private var words: [UInt64] = []
    private var firstWord: UInt64 = 0
    private var nextBit: UInt64 = 0
    /// The offset after the last record that was entered.
    package private(set) var nextOffset: Int64
    package private(set) var outstandingCount = 0

    package init(nextOffset: Int64) {
        self.nextOffset = nextOffset
    }

    // MARK: - Records in, refs out

    /// Enters a record; none of its refs is outstanding yet.
    package mutating func enter(offset: Int64, spanCount: Int, streamTimeBefore: Int64) {
        // Rather than twice the memory for a moment, the place of finished records.
        if records.count == records.capacity, head * 8 > records.count { forgetFinished() }
        records.append(
            Record(
                offset: offset, streamTimeBefore: streamTimeBefore, firstBit: nextBit, spanCount: UInt32(spanCount),
                outstanding: 0))
        nextBit += UInt64(spanCount)
        let neededWords = Int((nextBit + 63) / 64 - firstWord)
        if neededWords > words.count { words.append(contentsOf: repeatElement(0, count: neededWords - words.count)) }
        nextOffset = offset + 1
    }

    /// Marks refs of the record entered last as outstanding.
    package mutating func take(_ indices: borrowing [UInt32]) {
        guard let record = records.last else { return }
        var count = 0
        if indices.count == Int(record.spanCount) {
            count = changeBits(from: record.firstBit, count: UInt64(record.spanCount), to: true)
        } else {
            for index in 0..<indices.count where indices[index] < record.spanCount {
                count += changeBits(from: record.firstBit + UInt64(indices[index]), count: 1, to: true)
            }
        }
        records[records.count - 1].outstanding += UInt32(count)
        outstandingCount += count
    }

    /// Ends custody of `count` refs from `firstIndex` on. Refs that are not in custody do not count: a sampler that reports
    /// one twice must not make the watermark pass another.
    package mutating func done(offset: Int64, firstIndex: UInt32, count: UInt32) {
        guard let position = position(of: offset) else { return }
        let record = records[position]
        guard firstIndex < record.spanCount else { return }
        let within = min(count, record.spanCount - firstIndex)
        let ended = changeBits(from: record.firstBit + UInt64(firstIndex), count: UInt64(within), to: false)
        records[position].outstanding -= UInt32(ended)
        outstandingCount -= ended
        if position == head { popFinished() }
    }

    /// Drops records without outstanding refs from the front.
    package mutating func popFinished() {
        while head < records.count, records[head].outstanding == 0 { head += 1 }
        // A fifth of the memory at most is for records that are finished; moving the others costs four moves a record.
        if head > 1024, head * 5 > records.count { forgetFinished() }
    }

    private mutating func forgetFinished() {
        records.removeFirst(head)
        head = 0
        let firstNeeded = (records.first?.firstBit ?? nextBit) / 64
        if firstNeeded > firstWord {
            words.removeFirst(min(words.count, Int(firstNeeded - firstWord)))
            firstWord = firstNeeded
        }
    }

    /// The lowest offset that still has an outstanding ref; the next offset where there is none.
    package var low: Int64 {
        #if TAILRACE_MUTATIONS
            if ProtocolMutation.active == .watermarkFromTail { return records.last?.offset ?? nextOffset }
        #endif
        return head < records.count ? records[head].offset : nextOffset
    }

    /// Stream time with which a replay from `low` starts; nil where nothing is outstanding.
    package var streamTimeAtLow: Int64? {
        head < records.count ? records[head].streamTimeBefore : nil
    }

    // MARK: - What a manifest keeps

    /// Refs at or above `low` that are done: what a replay from `low` skips.
    package func doneRefs() -> DoneRefs {
        var done = DoneRefs()
        for record in records[head...] where record.outstanding < record.spanCount || record.spanCount == 0 {
            if record.outstanding == 0 {
                done.add(offset: record.offset, .all)
            } else {
                var bits: [UInt64] = Array(repeating: 0, count: (Int(record.spanCount) + 63) / 64)
                for index in 0..<Int(record.spanCount) where !bit(record.firstBit + UInt64(index)) {
                    bits[index / 64] |= 1 << UInt64(index % 64)
                }
                done.add(offset: record.offset, .some(bits))
            }
        }
        return done
    }

    // MARK: - Invariants

    /// Checks the ledger against itself; a message for the first thing that does not add up. For tests and debug builds.
    package func invariantViolation() -> String? {
        var total = 0
        var previous = Int64.min
        for record in records[head...] {
            if record.offset <= previous { return "offsets are not ascending at \(record.offset)" }
            previous = record.offset
            var set = 0
            for index in 0..<UInt64(record.spanCount) where bit(record.firstBit + index) { set += 1 }
            if set != Int(record.outstanding) {
                return "record \(record.offset) has \(set) bits but \(record.outstanding) outstanding"
            }
            total += set
        }
        return total == outstandingCount ? nil : "\(total) bits but \(outstandingCount) outstanding"
    }

    // MARK: -

    private func bit(_ index: UInt64) -> Bool {
        words[Int(index / 64 - firstWord)] & (1 << (index % 64)) != 0
    }

    /// Returns how many bits had the other value.
    private mutating func changeBits(from first: UInt64, count: UInt64, to value: Bool) -> Int {
        var changed = 0
        var bit = first
        let end = first + count
        while bit < end {
            let word = Int(bit / 64 - firstWord)
            let inWord = bit % 64
            let span = min(64 - inWord, end - bit)
            let mask = (span == 64 ? UInt64.max : (1 << span) - 1) << inWord
            let before = words[word]
            let after = value ? before | mask : before & ~mask
            changed += (before ^ after).nonzeroBitCount
            words[word] = after
            bit += span
        }
        return changed
    }

    /// Offsets are nearly consecutive (gaps come from compaction and transactions): the guess is mostly right.
    private func position(of offset: Int64) -> Int? {
        guard head < records.count, offset >= records[head].offset else { return nil }
        let guess = head + Int(clamping: offset - records[head].offset)
        if guess < records.count, records[guess].offset == offset { return guess }
        var low = head
        var high = min(records.count, guess + 1)
        while low < high {
            let middle = (low + high) / 2
            if records[middle].offset < offset { low = middle + 1 } else { high = middle }
        }
        return low < records.count && records[low].offset == offset ? low : nil
    }
}
