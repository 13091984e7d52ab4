import Glibc

/// A disk with a page cache: what processes see, and what would be left if the power failed now.
///
/// File contents become durable with a sync of the file, names with a sync of their directory. What is not synced survives
/// a power failure or not, each file and each name on its own: names in any order, contents torn.
final class SimulatedDisk {
    final class Node {
        let isDirectory: Bool
        /// Of files.
        var data: [UInt8] = []
        var durableData: [UInt8] = []
        /// Written or cut since the last sync.
        var isDirty = false
        /// Bytes before this position are as they were at the last sync.
        var changedFrom = Int.max

        func changed(from position: Int) {
            isDirty = true
            changedFrom = min(changedFrom, position)
        }
        /// Of directories.
        var entries: [String: Node] = [:]
        var durableEntries: [String: Node] = [:]
        var pending: [Change] = []

        init(isDirectory: Bool) { self.isDirectory = isDirectory }
    }

    /// A change of a directory that is not durable yet.
    enum Change {
        case add(String, Node)
        case remove(String)
        case rename(String, String, Node)
    }

    private let root = Node(isDirectory: true)
    private(set) var syncs = 0

    // MARK: - Names

    /// The node at a path; nil where there is none, or a file stands where a directory should be.
    func find(_ path: String) -> Node? {
        var node = root
        for part in path.split(separator: "/") where part != "." {
            guard let next = node.entries[String(part)] else { return nil }
            node = next
        }
        return node
    }

    /// The directory of a path and the last part of its name.
    func parent(_ path: String) -> (directory: Node, name: String)? {
        guard let slash = path.lastIndex(of: "/") else { return (root, path) }
        guard let directory = find(String(path[..<slash])), directory.isDirectory else { return nil }
        return (directory, String(path[path.index(after: slash)...]))
    }

    func add(_ node: Node, _ name: String, to directory: Node) {
        directory.entries[name] = node
        directory.pending.append(.add(name, node))
    }

    func remove(_ name: String, from directory: Node) {
        directory.entries[name] = nil
        directory.pending.append(.remove(name))
    }

    /// Within one directory, as the store does it.
    func rename(_ from: String, to: String, in directory: Node) {
        guard let node = directory.entries.removeValue(forKey: from) else { return }
        directory.entries[to] = node
        directory.pending.append(.rename(from, to, node))
    }

    // MARK: - Durability

    func sync(_ node: Node) {
        syncs += 1
        if node.isDirectory {
            node.durableEntries = node.entries
            node.pending = []
        } else if node.isDirty {
            node.durableData = node.data
            node.isDirty = false
            node.changedFrom = .max
        }
    }

    /// A sync that failed: the system takes the pages for written, and the next sync does not write them again. (This is
    /// what Linux does; a program that just syncs again loses data.)
    func failSync(_ node: Node) {
        if !node.isDirectory { node.isDirty = false }
    }

    /// The power fails: what was not synced survives by chance.
    func losePower(_ random: inout SimulationRandom) { Self.losePower(root, &random) }

    private static func losePower(_ node: Node, _ random: inout SimulationRandom) {
        guard node.isDirectory else {
            if node.data != node.durableData { node.data = torn(node, &random) }
            node.durableData = node.data
            node.isDirty = false
            node.changedFrom = .max
            return
        }
        for change in node.pending where random.chance(50) {
            switch change {
            case .add(let name, let added): node.durableEntries[name] = added
            case .remove(let name): node.durableEntries[name] = nil
            case .rename(let from, let to, let renamed):
                node.durableEntries[from] = nil
                node.durableEntries[to] = renamed
            }
        }
        node.pending = []
        node.entries = node.durableEntries
        // In the order of names: the draws must not depend on the order of a dictionary.
        for name in node.entries.keys.sorted() {
            if let child = node.entries[name] { losePower(child, &random) }
        }
    }

    /// What a power failure may leave of a file that was not synced.
    private static func torn(_ node: Node, _ random: inout SimulationRandom) -> [UInt8] {
        let kept = min(node.changedFrom, node.data.count)
        switch random.pick(0...4) {
        case 0: return node.durableData
        case 1: return node.data
        case 2: return Array(node.data.prefix(random.pick(kept...node.data.count)))
        case 3:
            // The length was written, the last pages were not.
            var data = node.data
            for index in random.pick(kept...data.count)..<data.count { data[index] = 0 }
            return data
        default: return Array(node.durableData.prefix(kept))
        }
    }

    // MARK: - What no protocol can prevent

    /// Everything below a name is gone, also from the disk itself: another disk was mounted, or somebody removed it.
    func forget(_ name: String) {
        root.entries[name] = nil
        root.durableEntries[name] = nil
        root.pending = []
    }

    /// The disk returns other bytes than were written.
    ///
    /// - Returns: what puts them right again; nil where there is no such file, or an empty one.
    func damage(_ path: String, at position: Int) -> (() -> Void)? {
        guard let node = find(path), !node.data.isEmpty else { return nil }
        let (data, durable) = (node.data, node.durableData)
        let index = position % data.count
        node.data[index] ^= 0x55
        if index < node.durableData.count { node.durableData[index] ^= 0x55 }
        return {
            node.data = data
            node.durableData = durable
        }
    }

    // MARK: - For the oracle

    /// What would be at a path after a power failure that takes everything that may go: nil for nothing.
    func durableContents(_ path: String) -> [UInt8]? {
        var node = root
        for part in path.split(separator: "/") where part != "." {
            guard let next = node.durableEntries[String(part)] else { return nil }
            node = next
        }
        return node.isDirectory ? nil : node.durableData
    }

    /// What processes see at a path.
    func contents(_ path: String) -> [UInt8]? {
        guard let node = find(path), !node.isDirectory else { return nil }
        return node.data
    }

    func names(_ path: String) -> [String] { (find(path)?.entries.keys).map { $0.sorted() } ?? [] }
}
