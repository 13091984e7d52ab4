import Foundation
import OTLP

/// The recorded traces beside the project; absent on a machine that has only the project.
enum SharedData {
    static let directory: URL = {
        if let path = ProcessInfo.processInfo.environment["TAILRACE_SHARED"] {
            return URL(fileURLWithPath: path).appendingPathComponent("data")
        }
        let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        return package.deletingLastPathComponent().appendingPathComponent("shared/data")
    }()

    static let files: [URL] = {
        let all = (try? FileManager.default.contentsOfDirectory(at: directory, includingPropertiesForKeys: nil)) ?? []
        return all.filter { $0.lastPathComponent.hasSuffix(".jsonl.gz") }.sorted { $0.path < $1.path }
    }()

    static let skipReason =
        "no recorded traces in \(directory.path); set TAILRACE_SHARED to the folder that holds data/"

    /// The JSON lines of a file. Of long files the first 40 and every 500th: debug builds are slow.
    static func lines(of file: URL) throws -> [[UInt8]] {
        let stream = try ByteStream(path: file.path)
        var text: [UInt8] = []
        while try stream.fill() {
            stream.withAvailable { text.append(contentsOf: $0) }
            stream.consume(stream.available)
        }
        let lines = text.split(separator: 0x0a)
        let step = lines.count > 1000 ? 500 : 1
        return lines.enumerated().filter { $0.offset < 40 || $0.offset % step == 0 }.map { Array($0.element) }
    }
}
