import Pipeline

/// The generation of a partition's owner, as its file says: who owns it, and the last entry of its predecessors that counts.
///
/// The file is created exclusively, with its content. From then on nothing that an older owner publishes is visible, unless
/// it was published before the new owner looked.
package struct Epoch: Sendable, Equatable {
    package var number: UInt64
    /// Chain of manifests in which the owner publishes (without the writer's number).
    package var incarnation: String
    /// What the owner takes over; nil where nothing was published before.
    package var parent: ManifestPosition?

    /// A manifest, and the epoch of the partition's entry in it.
    package struct ManifestPosition: Sendable, Equatable {
        package var chain: String
        package var sequence: UInt64
        package var epoch: UInt64
    }

    func encoded() -> [UInt8] {
        var encoder = ByteEncoder()
        encoder.varint(number)
        encoder.string(incarnation)
        encoder.fixed(UInt8(parent == nil ? 0 : 1))
        if let parent {
            encoder.string(parent.chain)
            encoder.varint(parent.sequence)
            encoder.varint(parent.epoch)
        }
        encoder.fixed(Checksum.of(encoder.bytes))
        return encoder.bytes
    }

    package static func decode(_ bytes: [UInt8]) throws(StoreError) -> Epoch {
        guard bytes.count > 10 else { throw .truncated }
        var trailer = ByteDecoder(bytes[(bytes.count - 8)...])
        let body = bytes[..<(bytes.count - 8)]
        guard try trailer.fixed(UInt64.self) == body.withUnsafeBytes({ Checksum.of($0) }) else {
            throw .damaged("checksum does not match")
        }
        var decoder = ByteDecoder(body)
        var epoch = Epoch(number: try decoder.varint(), incarnation: try decoder.string(), parent: nil)
        if try decoder.fixed(UInt8.self) != 0 {
            epoch.parent = ManifestPosition(
                chain: try decoder.string(), sequence: try decoder.varint(), epoch: try decoder.varint())
        }
        return epoch
    }
}
