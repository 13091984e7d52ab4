#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Reads whole small files, without Foundation.
package enum FileReader {
    package struct Failure: Error, Sendable, CustomStringConvertible {
        package var message: String
        package var description: String { message }
    }

    /// The bytes of a file of at most `limit` bytes.
    package static func read(_ path: String, limit: Int) throws(Failure) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("cannot open the file") }
        defer { _ = close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = chunk.withUnsafeMutableBytes { unistdRead(descriptor, $0) }
            if count < 0 {
                if errno == EINTR { continue }
                throw failure("cannot read the file")
            }
            if count == 0 { return bytes }
            guard bytes.count + count <= limit else {
                throw Failure(message: "the file is larger than \(limit >> 20) MiB")
            }
            bytes += chunk[..<count]
        }
    }

    private static func unistdRead(_ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
        #if canImport(Glibc)
            Glibc.read(descriptor, buffer.baseAddress, buffer.count)
        #elseif canImport(Musl)
            Musl.read(descriptor, buffer.baseAddress, buffer.count)
        #else
            Darwin.read(descriptor, buffer.baseAddress, buffer.count)
        #endif
    }

    private static func failure(_ action: String) -> Failure {
        let code = errno
        return Failure(message: "\(action): \(strerror(code).map { String(cString: $0) } ?? "error \(code)")")
    }
}
