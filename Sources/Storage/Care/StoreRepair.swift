/// Does what a check proposes, and says what it did. Never touches a file that a manifest names, except to put a whole one
/// in the place of one that is missing or damaged (which is put aside).
public struct StoreRepair {
    private let layout: StoreLayout
    private let fileSystem: any FileSystem

    public init(layout: StoreLayout, fileSystem: any FileSystem = LocalFileSystem()) {
        self.layout = layout
        self.fileSystem = fileSystem
    }

    /// One sentence for each thing that was done, and for each that could not be.
    public struct Outcome: Sendable, Equatable {
        public var done: [String] = []
        public var failed: [String] = []
    }

    /// Applies the remedies of the findings; returns a sentence for each. One that fails is reported and the next is tried.
    public func apply(_ report: VerifyReport) -> Outcome {
        var outcome = Outcome()
        for finding in report.findings {
            guard let remedy = finding.remedy else { continue }
            do {
                outcome.done.append(try apply(remedy))
            } catch {
                outcome.failed.append("\(error)")
            }
        }
        return outcome
    }

    private func apply(_ remedy: VerifyReport.Remedy) throws(FileError) -> String {
        switch remedy {
        case .remove(let path):
            try fileSystem.remove(layout.path(path))
            return "removed \(path)"
        case .putAside(let path):
            try putAside(path)
            return "moved \(path) to quarantine/\(path)"
        case .restore(let from, let to):
            var text = ""
            if try names(of: to).contains(to) {
                try putAside(to)
                text = "moved the damaged \(to) to quarantine/\(to), then "
            }
            try fileSystem.createDirectory(layout.path(String(to[..<(to.lastIndex(of: "/") ?? to.startIndex)])))
            try fileSystem.renameDurably(layout.path(from), to: layout.path(to))
            return "\(text)moved \(from) to \(to), where a manifest names it"
        }
    }

    private func putAside(_ path: String) throws(FileError) {
        let target = layout.quarantine + "/" + path
        try fileSystem.createDirectory(String(target[..<(target.lastIndex(of: "/") ?? target.startIndex)]))
        // What was put aside before under this name is kept too.
        var name = target
        var number = 1
        while (try? fileSystem.size(name)) != nil {
            number += 1
            name = "\(target).\(number)"
        }
        try fileSystem.renameDurably(layout.path(path), to: name)
    }

    private func names(of path: String) throws(FileError) -> [String] {
        let directory = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
        return try fileSystem.list(layout.path(directory)).map { directory + "/" + $0 }
    }
}
