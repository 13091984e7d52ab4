/// Reads dead letters from files of JSON lines, one line in memory at a time.
///
/// Safe beside the workers that append to the files: a last line without its end is being written and is left out.
public struct DeadLetterFiles: Sendable {
    private let paths: [String]
    private let fileSystem: any FileSystem

    /// - Parameter paths: files to read, in this order.
    public init(paths: [String], fileSystem: any FileSystem = LocalFileSystem()) {
        self.paths = paths
        self.fileSystem = fileSystem
    }

    /// The files of a store.
    public init(layout: StoreLayout, fileSystem: any FileSystem = LocalFileSystem()) throws(FileError) {
        let names = try fileSystem.list(layout.deadLetters).filter { $0.hasSuffix(".jsonl") }
        self.init(paths: names.map { layout.deadLetters + "/" + $0 }, fileSystem: fileSystem)
    }

    /// Visits the letters; `body` returns false to stop. Lines that are no dead letters go to `onBadLine` with their place.
    public func forEach(
        onBadLine: (String) -> Void = { _ in }, _ body: (DeadLetter, _ location: String) throws -> Bool
    ) throws {
        for path in paths {
            if try !visit(path, onBadLine, body) { return }
        }
    }

    private func visit(
        _ path: String, _ onBadLine: (String) -> Void, _ body: (DeadLetter, String) throws -> Bool
    ) throws -> Bool {
        let chunkSize = 1 << 20
        var offset: UInt64 = 0
        var pending: [UInt8] = []
        var number = 0
        while true {
            let chunk = try fileSystem.read(path, from: offset, count: chunkSize)
            offset += UInt64(chunk.count)
            var start = 0
            while let end = chunk[start...].firstIndex(of: 0x0a) {
                pending += chunk[start..<end]
                start = end + 1
                number += 1
                defer { pending.removeAll(keepingCapacity: true) }
                if pending.isEmpty { continue }
                guard let letter = DeadLetter(jsonLine: pending) else {
                    onBadLine("\(path):\(number)")
                    continue
                }
                if try !body(letter, "\(path):\(number)") { return false }
            }
            pending += chunk[start...]
            if chunk.count < chunkSize { return true }
        }
    }
}
