import OTLP

/// How far partitions of an outer topic have been repartitioned: what a repartition stage tells the readers of the internal
/// topic, in a record of its own to each of its partitions.
///
/// Everything that the outer partitions held up to these times is in the internal topic before this record: it is sent only
/// when that was acknowledged. For any reader of OTLP the record is a request without spans, with a field it does not know.
public struct RepartitionProgress: Sendable, Equatable {
    public struct Partition: Sendable, Equatable {
        public var number: Int32
        /// Generation of the partition's owner: what an owner says that has been replaced does not count.
        public var epoch: UInt64
        /// Stream time of the outer partition, milliseconds since the Unix epoch; `Int64.min` before its first record.
        public var streamTime: Int64
        /// All that was written to the partition has been read.
        public var isAtEnd: Bool

        public init(number: Int32, epoch: UInt64, streamTime: Int64, isAtEnd: Bool) {
            self.number = number
            self.epoch = epoch
            self.streamTime = streamTime
            self.isAtEnd = isAtEnd
        }
    }

    /// Partitions of the outer topic.
    public var partitionCount: Int32
    /// The repartitioner's wall clock, milliseconds since the Unix epoch.
    public var reportedAt: Int64
    /// Those that this repartitioner owns.
    public var partitions: [Partition]

    public init(partitionCount: Int32, reportedAt: Int64, partitions: [Partition]) {
        self.partitionCount = partitionCount
        self.reportedAt = reportedAt
        self.partitions = partitions
    }

    /// Key of progress records.
    public static let key = Array("tailrace.progress".utf8)

    /// OTLP's request has field 1 only; this number is far from what it may grow to.
    private static let field = 7401

    /// The record's value.
    public func encoded() -> [UInt8] {
        var writer = ProtobufWriter(reservingCapacity: 32 + partitions.count * 32)
        writer.messageField(Self.field) { writer in
            writer.varintField(1, UInt64(UInt32(bitPattern: partitionCount)))
            writer.fixed64Field(2, UInt64(bitPattern: reportedAt))
            for partition in partitions {
                writer.messageField(3) { writer in
                    writer.varintField(1, UInt64(UInt32(bitPattern: partition.number)))
                    writer.varintField(2, partition.epoch)
                    writer.fixed64Field(3, UInt64(bitPattern: partition.streamTime))
                    writer.varintField(4, partition.isAtEnd ? 1 : 0)
                }
            }
        }
        return writer.bytes
    }

    /// Nil for any other record.
    public init?(key: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer) {
        guard key.count == Self.key.count, key.elementsEqual(Self.key), let start = payload.baseAddress else {
            return nil
        }
        self.init(partitionCount: 0, reportedAt: 0, partitions: [])
        do {
            var reader = WireReader(base: start.assumingMemoryBound(to: UInt8.self), from: 0, to: payload.count)
            guard try reader.tag() == UInt64(Self.field) << 3 | WireType.length else { return nil }
            try read(WireReader(base: reader.base, range: try reader.lengthDelimited()))
        } catch {
            return nil
        }
    }

    private mutating func read(_ reader: WireReader) throws(ScanError) {
        var reader = reader
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case 1 << 3 | WireType.varint: partitionCount = Int32(truncatingIfNeeded: try reader.varint())
            case 2 << 3 | WireType.fixed64: reportedAt = Int64(bitPattern: try reader.fixed64())
            case 3 << 3 | WireType.length:
                let range = try reader.lengthDelimited()
                partitions.append(try Self.partition(WireReader(base: reader.base, range: range)))
            default: try reader.skip(tag: tag)
            }
        }
    }

    private static func partition(_ reader: WireReader) throws(ScanError) -> Partition {
        var reader = reader
        var partition = Partition(number: 0, epoch: 0, streamTime: .min, isAtEnd: false)
        while !reader.isAtEnd {
            let tag = try reader.tag()
            switch tag {
            case 1 << 3 | WireType.varint: partition.number = Int32(truncatingIfNeeded: try reader.varint())
            case 2 << 3 | WireType.varint: partition.epoch = try reader.varint()
            case 3 << 3 | WireType.fixed64: partition.streamTime = Int64(bitPattern: try reader.fixed64())
            case 4 << 3 | WireType.varint: partition.isAtEnd = try reader.varint() != 0
            default: try reader.skip(tag: tag)
            }
        }
        return partition
    }
}
