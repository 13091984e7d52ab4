import Pipeline
import Storage

/// Which records and spans are durable as dead letters.
struct DeadLetterImage {
    struct Place: Hashable {
        var partition: Int32
        var offset: Int64
        /// Nil for a whole record.
        var span: UInt32?
    }

    private(set) var places: Set<Place> = []
    private var read: [String: Int] = [:]

    /// Reads what has become durable since the last time.
    mutating func refresh(_ disk: SimulatedDisk) {
        let directory = Simulation.layout.deadLetters
        for name in disk.names(directory) {
            let path = directory + "/" + name
            guard let bytes = disk.durableContents(path), bytes.count > read[path, default: 0] else { continue }
            var start = read[path, default: 0]
            while let end = bytes[start...].firstIndex(of: 0x0a) {
                if let place = Self.parse(bytes[start..<end]) { places.insert(place) }
                start = end + 1
            }
            read[path] = start
        }
    }

    private static func parse(_ bytes: ArraySlice<UInt8>) -> Place? {
        let line = Substring(decoding: bytes, as: UTF8.self)
        guard let partition = number("\"partition\":", in: line), let offset = number("\"offset\":", in: line) else {
            return nil
        }
        let span = number("\"reason\":\"span ", in: line).map { UInt32(truncatingIfNeeded: $0) }
        return Place(partition: Int32(truncatingIfNeeded: partition), offset: offset, span: span)
    }

    private static func number(_ key: String, in line: Substring) -> Int64? {
        guard let range = line.firstRange(of: key) else { return nil }
        return Int64(line[range.upperBound...].drop { $0 == " " || $0 == "\"" }.prefix { $0.isNumber })
    }
}
