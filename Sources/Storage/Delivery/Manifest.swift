public import Pipeline

/// The commit point of one flush: which segments and decisions exist from now on, and how far each partition is.
public struct Manifest: Sendable, Equatable {
    /// The chain it belongs to: one per writer of a process.
    public var incarnation: String
    public var sequence: UInt64
    /// Checksum of the manifest before it in the chain; 0 for the first.
    public var previousChecksum: UInt64
    public var entries: [TaskEntry]
    public var segments: [SegmentReference]

    public init(
        incarnation: String, sequence: UInt64, previousChecksum: UInt64, entries: [TaskEntry],
        segments: [SegmentReference]
    ) {
        self.incarnation = incarnation
        self.sequence = sequence
        self.previousChecksum = previousChecksum
        self.entries = entries
        self.segments = segments
    }
}

extension Manifest {
    private static let magic: UInt32 = 0x4d4c_5254  // "TRLM"
    /// Version 2 added the samplers' state, and of which epoch the decisions in a file count. Version 1 is still read.
    static let version: UInt16 = 2

    /// Magic, version, body, XXH3 of everything before it.
    public func encoded() -> [UInt8] { encoded(version: Self.version) }

    /// - Parameter version: an older one, for tests of what older programs left.
    func encoded(version: UInt16) -> [UInt8] {
        var encoder = ByteEncoder()
        encoder.fixed(Self.magic)
        encoder.fixed(version)
        encoder.string(incarnation)
        encoder.varint(sequence)
        encoder.fixed(previousChecksum)
        encoder.varint(UInt64(segments.count))
        for segment in segments {
            encoder.string(segment.path)
            encoder.varint(segment.byteCount)
            encoder.fixed(segment.checksum)
        }
        encoder.varint(UInt64(entries.count))
        for entry in entries { entry.encode(into: &encoder, version: version) }
        encoder.fixed(Checksum.of(encoder.bytes))
        return encoder.bytes
    }

    /// - Throws: when the bytes are no whole, undamaged manifest.
    public static func decode(_ bytes: [UInt8]) throws(StoreError) -> Manifest {
        guard bytes.count > 14 else { throw .truncated }
        var trailer = ByteDecoder(bytes[(bytes.count - 8)...])
        let body = bytes[..<(bytes.count - 8)]
        guard try trailer.fixed(UInt64.self) == body.withUnsafeBytes({ Checksum.of($0) }) else {
            throw .damaged("checksum does not match")
        }
        var decoder = ByteDecoder(body)
        guard try decoder.fixed(UInt32.self) == magic else { throw .damaged("no manifest") }
        let version = try decoder.fixed(UInt16.self)
        guard version <= Self.version else {
            throw .newer("manifest", version: UInt64(version), known: UInt64(Self.version))
        }
        guard version > 0 else { throw .damaged("there is no manifest version 0") }
        var manifest = Manifest(
            incarnation: try decoder.string(), sequence: try decoder.varint(), previousChecksum: try decoder.fixed(),
            entries: [], segments: [])
        for _ in 0..<(try decoder.count(minimumSize: 10)) {
            manifest.segments.append(
                SegmentReference(
                    path: try decoder.string(), byteCount: try decoder.varint(), checksum: try decoder.fixed()))
        }
        for _ in 0..<(try decoder.count(minimumSize: 10)) {
            manifest.entries.append(try TaskEntry.decode(&decoder, version: version))
        }
        return manifest
    }
}

extension TaskEntry {
    fileprivate func encode(into encoder: inout ByteEncoder, version: UInt16) {
        encoder.string(partition.cluster)
        encoder.string(partition.topic)
        encoder.fixed(partition.partition)
        encoder.varint(epoch)
        encoder.signed(low)
        encoder.signed(high)
        encoder.signed(streamTime)
        encoder.signed(streamTimeAtLow)
        encoder.varint(UInt64(decisionFiles.count))
        for file in decisionFiles {
            encoder.string(file.path)
            encoder.varint(file.length)
            encoder.signed(file.lastDecidedAt)
            if version > 1 { encoder.varint(file.epoch) }
        }
        encoder.varint(UInt64(lanes.count))
        for lane in lanes {
            encoder.string(lane.sampler)
            encoder.signed(lane.low)
            lane.done.encode(into: &encoder)
            guard version >= 2 else { continue }
            encoder.varint(UInt64(lane.samplerState.count))
            encoder.raw(lane.samplerState)
        }
    }

    fileprivate static func decode(
        _ decoder: inout ByteDecoder, version: UInt16
    ) throws(StoreError) -> TaskEntry {
        let partition = PartitionID(
            cluster: try decoder.string(), topic: try decoder.string(), partition: try decoder.fixed())
        var entry = TaskEntry(
            partition: partition, epoch: try decoder.varint(), low: try decoder.signed(), high: try decoder.signed(),
            lanes: [], streamTime: try decoder.signed(), streamTimeAtLow: try decoder.signed(), decisionFiles: [])
        for _ in 0..<(try decoder.count(minimumSize: 3)) {
            entry.decisionFiles.append(
                DecisionFileReference(
                    path: try decoder.string(), length: try decoder.varint(), lastDecidedAt: try decoder.signed(),
                    epoch: version > 1 ? try decoder.varint() : 0))
        }
        for _ in 0..<(try decoder.count(minimumSize: 3)) {
            var lane = LaneEntry(
                sampler: try decoder.string(), low: try decoder.signed(), done: try DoneRefs.decode(&decoder))
            if version >= 2 {
                lane.samplerState = try decoder.raw()
            }
            entry.lanes.append(lane)
        }
        return entry
    }
}

extension DoneRefs {
    /// Runs in order: the distance from the last record of the run before, then 0 and a length for wholly done records, or
    /// the number of words + 1 and the words.
    fileprivate func encode(into encoder: inout ByteEncoder) {
        encoder.varint(UInt64(runs.count))
        var previous: Int64 = 0
        for run in runs {
            encoder.signed(run.first &- previous)
            switch run.spans {
            case .all:
                encoder.varint(0)
                encoder.varint(UInt64(run.count))
            case .some(let words):
                encoder.varint(UInt64(words.count) + 1)
                for word in words { encoder.fixed(word) }
            }
            previous = run.first &+ (run.count - 1)
        }
    }

    fileprivate static func decode(_ decoder: inout ByteDecoder) throws(StoreError) -> DoneRefs {
        var done = DoneRefs()
        var previous: Int64 = 0
        for _ in 0..<(try decoder.count(minimumSize: 2)) {
            let offset = previous &+ (try decoder.signed())
            var form = try decoder.varint()
            var length: Int64 = 1
            var spans = Spans.all
            if form == 0 {
                guard let count = Int64(exactly: try decoder.varint()) else { throw .damaged("a run is too long") }
                length = count
            } else {
                var words: [UInt64] = []
                while form > 1 {
                    words.append(try decoder.fixed())
                    form -= 1
                }
                spans = .some(words)
            }
            guard done.add(offset: offset, count: length, spans) else {
                throw .damaged("\(length) done records at offset \(offset) are out of order")
            }
            previous = offset &+ (length - 1)
        }
        return done
    }
}
