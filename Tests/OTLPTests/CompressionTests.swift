import OTLP
import Testing

@Suite("Compression")
struct CompressionTests {
    private func sample(_ count: Int) -> [UInt8] {
        var random = SeededGenerator(seed: UInt64(count))
        return (0..<count).map { index in index % 7 == 0 ? UInt8(truncatingIfNeeded: random.next()) : UInt8(index % 97)
        }
    }

    @Test("zstd gives back what it was given", arguments: [0, 1, 100, 65_536, 300_000, 3_000_000])
    func zstd(count: Int) throws {
        let bytes = sample(count)
        let compressed = try Zstd.compress(bytes)
        #expect(try Zstd.decompress(compressed, maximumSize: count) == bytes)
        #expect(try Zstd.decompress(compressed + compressed, maximumSize: .max) == bytes + bytes)
    }

    @Test("A result beyond the limit is refused, whatever the frame claims")
    func limit() throws {
        let compressed = try Zstd.compress([UInt8](repeating: 0, count: 1_000_000))
        for limit in [-1, 0, 1, 999_999] {
            #expect(throws: CompressionError(.tooLarge)) { try Zstd.decompress(compressed, maximumSize: limit) }
        }
    }

    @Test("Damaged zstd is an error or, never, a trap")
    func damage() throws {
        let bytes = sample(5000)
        let compressed = try Zstd.compress(bytes)
        for length in stride(from: 1, to: compressed.count, by: 97) {
            #expect(throws: CompressionError.self) {
                try Zstd.decompress(Array(compressed[..<length]), maximumSize: 10_000)
            }
        }
        var random = SeededGenerator(seed: TestSettings.seed)
        for _ in 0..<500 {
            let damaged = Mutation.mutate(compressed, &random)
            // The checksum finds what the format does not.
            if let result = try? Zstd.decompress(damaged, maximumSize: 1 << 20), damaged != compressed {
                #expect(result == bytes || result.isEmpty || result.count > bytes.count)
            }
        }
    }

    @Test("One context serves many blocks")
    func contexts() throws {
        var compressor = try ZstdCompressor(level: 1)
        var decompressor = try ZstdDecompressor()
        for count in [10, 0, 100_000, 3] {
            let bytes = sample(count)
            var compressed: [UInt8] = [0xaa]
            try bytes.withUnsafeBytes { try compressor.compress($0, appendingTo: &compressed) }
            var result: [UInt8] = [0xbb]
            try compressed[1...].withUnsafeBytes {
                try decompressor.decompress($0, appendingTo: &result, maximumSize: 1 << 20)
            }
            #expect(result == [0xbb] + bytes)
        }
    }
}
