import Foundation

/// The files of this project.
enum Project {
    /// The folder with Package.swift.
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
    }

    /// Names of the files in a folder with an ending, sorted, as paths from the root.
    static func files(in folder: String, ending: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: root.appendingPathComponent(folder).path)
            .filter { $0.hasSuffix(ending) && !$0.hasPrefix(".") }.sorted().map { "\(folder)/\($0)" }
    }

    static func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: root.appendingPathComponent(path).path)
    }

    /// Pipelines name files such as config/scrub.yaml from the project's root.
    static func enter() throws {
        guard FileManager.default.changeCurrentDirectoryPath(root.path) else {
            throw CocoaError(.fileNoSuchFile)
        }
    }

    /// A new empty folder for one test.
    static func temporaryFolder() throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("tailrace-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }
}

/// Markdown, as far as these tests read it.
enum Markdown {
    /// The fenced blocks of a language, without their fences.
    static func blocks(_ language: String, in text: String) -> [String] {
        var blocks: [String] = []
        var block: [Substring]?
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if let lines = block {
                if line == "```" {
                    blocks.append(lines.map { $0 + "\n" }.joined())
                    block = nil
                } else {
                    block = lines + [line]
                }
            } else if line == "```\(language)" {
                block = []
            }
        }
        return blocks
    }

    /// The text below a heading, up to the next heading of its level or above.
    static func section(_ heading: String, in text: String) -> String? {
        let level = heading.prefix { $0 == "#" }.count
        var lines: [Substring]?
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if lines != nil {
                let hashes = line.prefix { $0 == "#" }.count
                if hashes > 0, hashes <= level, line.dropFirst(hashes).first == " " { break }
                lines?.append(line)
            } else if line == heading {
                lines = []
            }
        }
        return lines?.joined(separator: "\n")
    }

    /// Targets of the links to files of this project, without their anchors.
    static func localLinks(in text: String) -> [String] {
        text.matches(of: /\]\(([^)\s]+)\)/).map { String($0.output.1) }
            .filter { !$0.contains("://") && !$0.hasPrefix("#") }
            .map { String($0.prefix { $0 != "#" }) }
    }
}
