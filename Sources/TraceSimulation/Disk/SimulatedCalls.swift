import Glibc
import Pipeline
import Storage
import Synchronization

/// System calls of one simulated process on the shared disk. Each is a step: time passes, other processes run, and the
/// process may die or the disk may fail before, in the middle of, or after it.
///
/// Used by one thread at a time, as everything in a world.
final class SimulatedCalls: SystemCalls, @unchecked Sendable {
    private unowned let disk: SimulatedDisk
    private let gate: any StepGate
    private var descriptors: [Int32: Descriptor] = [:]
    private var nextDescriptor: Int32 = 3
    private var names = 0

    private struct Descriptor {
        var node: SimulatedDisk.Node
        var path: String
        var position = 0
    }

    init(disk: SimulatedDisk, gate: any StepGate) {
        self.disk = disk
        self.gate = gate
    }

    /// Takes a step; returns false, with `errno` set, where the call fails without having done anything.
    private func step(_ step: Step, _ path: String) -> Bool {
        if let code = gate.take(step, path) {
            errno = code
            return false
        }
        return true
    }

    private func fail(_ code: Int32) -> Int32 {
        errno = code
        return -1
    }

    func open(_ path: String, _ flags: Int32, _ mode: mode_t) -> Int32 {
        let existing = disk.find(path)
        let changes = flags & O_CREAT != 0 && existing == nil || flags & O_TRUNC != 0
        guard step(changes ? .create : .open, path) else { return -1 }
        var node = disk.find(path)
        if node == nil, flags & O_CREAT != 0 {
            guard let (directory, name) = disk.parent(path) else { return fail(ENOENT) }
            let created = SimulatedDisk.Node(isDirectory: false)
            disk.add(created, name, to: directory)
            node = created
        }
        guard let node else { return fail(ENOENT) }
        if flags & O_TRUNC != 0, !node.data.isEmpty {
            node.data = []
            node.changed(from: 0)
        }
        defer { nextDescriptor += 1 }
        descriptors[nextDescriptor] = Descriptor(node: node, path: path)
        return nextDescriptor
    }

    func close(_ descriptor: Int32) { descriptors[descriptor] = nil }

    func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
        guard let file = descriptors[descriptor] else { return Int(fail(EBADF)) }
        var count = bytes.count
        if let code = gate.take(.write, file.path) {
            // A failed write may have written some of it.
            append(bytes, gate.part(of: count), to: descriptor)
            errno = code
            return -1
        }
        if count > 1, gate.isCutShort() { count = max(1, gate.part(of: count)) }
        append(bytes, count, to: descriptor)
        return count
    }

    private func append(_ bytes: UnsafeRawBufferPointer, _ count: Int, to descriptor: Int32) {
        guard count > 0, let file = descriptors[descriptor] else { return }
        let node = file.node
        let start = min(file.position, node.data.count)
        node.data.replaceSubrange(start..<min(node.data.count, start + count), with: bytes[..<count])
        node.changed(from: start)
        descriptors[descriptor]?.position = start + count
    }

    func read(_ descriptor: Int32, _ bytes: UnsafeMutableRawBufferPointer, _ offset: Int64) -> Int {
        guard let file = descriptors[descriptor] else { return Int(fail(EBADF)) }
        guard step(.read, file.path) else { return -1 }
        let start = min(Int(offset), file.node.data.count)
        let count = min(bytes.count, file.node.data.count - start)
        bytes.copyBytes(from: file.node.data[start..<start + count])
        return count
    }

    func seek(_ descriptor: Int32, _ offset: Int64) -> Int64 {
        descriptors[descriptor]?.position = Int(offset)
        return offset
    }

    func truncate(_ descriptor: Int32, _ length: Int64) -> Int32 {
        guard let file = descriptors[descriptor] else { return fail(EBADF) }
        let node = file.node
        if Int(length) == node.data.count { return 0 }
        guard step(.truncate, file.path) else { return -1 }
        node.changed(from: min(Int(length), node.data.count))
        if Int(length) < node.data.count {
            node.data.removeLast(node.data.count - Int(length))
        } else {
            node.data += repeatElement(0, count: Int(length) - node.data.count)
        }
        return 0
    }

    func syncData(_ descriptor: Int32) -> Int32 { sync(descriptor, .sync) }

    func sync(_ descriptor: Int32) -> Int32 { sync(descriptor, .syncDirectory) }

    private func sync(_ descriptor: Int32, _ kind: Step) -> Int32 {
        guard let file = descriptors[descriptor] else { return fail(EBADF) }
        if let code = gate.take(kind, file.path) {
            if gate.isAlive { disk.failSync(file.node) }
            return fail(code)
        }
        disk.sync(file.node)
        return 0
    }

    func size(_ descriptor: Int32) -> Int64 { Int64(descriptors[descriptor]?.node.data.count ?? 0) }

    func size(path: String) -> Int64 {
        guard step(.look, path) else { return -1 }
        guard let node = disk.find(path) else { return Int64(fail(ENOENT)) }
        return Int64(node.data.count)
    }

    func rename(_ from: String, _ to: String) -> Int32 {
        guard step(.rename, to) else { return -1 }
        guard let (directory, name) = disk.parent(from), directory.entries[name] != nil,
            let (target, newName) = disk.parent(to), target === directory
        else { return fail(ENOENT) }
        disk.rename(name, to: newName, in: directory)
        gate.changed(to)
        return 0
    }

    func link(_ existing: String, _ new: String) -> Int32 {
        guard step(.link, new) else { return -1 }
        guard let node = disk.find(existing), let (directory, name) = disk.parent(new) else { return fail(ENOENT) }
        if directory.entries[name] != nil { return fail(EEXIST) }
        disk.add(node, name, to: directory)
        gate.changed(new)
        return 0
    }

    func unlink(_ path: String) -> Int32 {
        guard step(.unlink, path) else { return -1 }
        guard let (directory, name) = disk.parent(path), directory.entries[name] != nil else { return fail(ENOENT) }
        disk.remove(name, from: directory)
        gate.removed(path)
        return 0
    }

    func makeDirectory(_ path: String, _ mode: mode_t) -> Int32 {
        guard step(.makeDirectory, path) else { return -1 }
        guard let (directory, name) = disk.parent(path) else { return fail(ENOENT) }
        if directory.entries[name] != nil { return fail(EEXIST) }
        disk.add(SimulatedDisk.Node(isDirectory: true), name, to: directory)
        return 0
    }

    func removeDirectory(_ path: String) -> Int32 {
        guard step(.removeDirectory, path) else { return -1 }
        guard let (directory, name) = disk.parent(path), let node = directory.entries[name] else { return fail(ENOENT) }
        if !node.entries.isEmpty { return fail(ENOTEMPTY) }
        disk.remove(name, from: directory)
        return 0
    }

    func space(_ path: String) -> StoreSpace? { gate.space() }

    func names(_ directory: String) -> [String]? {
        guard step(.list, directory) else { return nil }
        guard let node = disk.find(directory) else {
            errno = ENOENT
            return nil
        }
        return node.entries.keys.sorted()
    }

    func uniqueName() -> String {
        names += 1
        return "\(gate.name).\(names)"
    }
}

/// A step of the protocol: a system call, or a message between the parts of a worker.
enum Step: String, Sendable {
    case open, create, write, read, truncate, sync, syncDirectory, look, rename, link, unlink, makeDirectory, list
    case removeDirectory
    /// Of files that have no name.
    case spill, readSpilled
    case fetch, publish, published, commit, assign, revoke, revoked, produce, acknowledged, collect, reload

    /// Needs space on the disk.
    var writes: Bool {
        switch self {
        case .create, .write, .link, .makeDirectory, .spill: true
        default: false
        }
    }

    var isSystemCall: Bool {
        switch self {
        case .fetch, .publish, .published, .commit, .assign, .revoke, .revoked, .produce, .acknowledged, .collect,
            .reload:
            false
        default: true
        }
    }
}

/// What stands between a process and the disk: time, death, failures.
protocol StepGate: AnyObject {
    /// The process's name.
    var name: String { get }
    var isAlive: Bool { get }
    /// Lets the step's time pass; returns the error number with which it fails, nil where it may go on.
    func take(_ step: Step, _ path: String) -> Int32?
    /// How much of a piece is written when the write does not succeed.
    func part(of count: Int) -> Int
    /// Whether this write takes only a part.
    func isCutShort() -> Bool
    /// Room on the disk; nil where it says nothing about it.
    func space() -> StoreSpace?
    /// A name has appeared that readers look for.
    func changed(_ path: String)
    /// A name is gone.
    func removed(_ path: String)
}
