import Foundation
import Pipeline
import Testing
import TraceModel

@testable import Storage

struct LocalFileSystemTests {
    private let fileSystem = LocalFileSystem()

    private func withDirectory(_ body: (String) throws -> Void) throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("tailrace-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        try body(path)
    }

    @Test func aTornAppendIsCutOffAndANewFileIsPrivateWhereAsked() throws {
        try withDirectory { root in
            let path = root + "/a/b/file.log"
            try fileSystem.appendDurably([1, 2, 3], to: path, at: 0, isPrivate: true)
            try fileSystem.appendDurably([4, 5, 6], to: path, at: 3, isPrivate: true)
            try fileSystem.appendDurably([9], to: path, at: 4, isPrivate: true)
            #expect(try fileSystem.read(path) == [1, 2, 3, 4, 9])
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
        }
    }

    @Test func anAppendBehindTheEndIsAnErrorAndNotAHole() throws {
        try withDirectory { root in
            try fileSystem.appendDurably([1], to: root + "/f", at: 0, isPrivate: false)
            #expect(throws: FileError.self) {
                try fileSystem.appendDurably([2], to: root + "/f", at: 5, isPrivate: false)
            }
            #expect(try fileSystem.read(root + "/f") == [1])
        }
    }

    @Test func oneOfTwoContendersCreatesAFile() throws {
        try withDirectory { root in
            try fileSystem.createDirectory(root + "/x/y")
            #expect(try fileSystem.createExclusively([1], at: root + "/x/y/1"))
            #expect(try !fileSystem.createExclusively([2], at: root + "/x/y/1"))
            #expect(try fileSystem.read(root + "/x/y/1") == [1])
            #expect(try fileSystem.list(root + "/x/y") == ["1"])
            #expect(try fileSystem.list(root + "/nowhere") == [])
        }
    }

    @Test func aDeadLetterFileThatWasMovedAwayBeginsAnew() throws {
        try withDirectory { root in
            let sink = DeadLetterSink(path: root + "/dead.jsonl", pipeline: "p")
            func reject(_ offset: Int64) throws {
                try sink.write(
                    RejectedRecord(
                        partition: PartitionID(cluster: "c", topic: "t", partition: 0), offset: offset, stage: "s",
                        code: "c",
                        reason: "r", timestamp: 0, key: [], payload: [1, 2], spanCount: 1))
                let flush = sink.seal()
                _ = try flush?.perform()
                // Performed again after a failure elsewhere: nothing is written twice.
                _ = try flush?.perform()
            }
            try reject(1)
            try reject(2)
            let both = try fileSystem.read(root + "/dead.jsonl")
            #expect(both.count { $0 == 0x0a } == 2)
            try fileSystem.renameDurably(root + "/dead.jsonl", to: root + "/old.jsonl")
            try reject(3)
            let third = try fileSystem.read(root + "/dead.jsonl")
            #expect(third.count { $0 == 0x0a } == 1 && !third.contains(0))
            #expect(try fileSystem.read(root + "/old.jsonl") == both)
        }
    }

    /// The protocol on a real disk: a second process continues where the first stopped.
    @Test func aStoreOnDiskIsContinuedByTheNextProcess() throws {
        try withDirectory { root in
            let layout = StoreLayout(root: root + "/store/")
            let partition = PartitionID(cluster: "c/ü", topic: "a~b", partition: 4)
            let first = try FileDeliveryStore(layout: layout, incarnation: "one")
            #expect(try first.acquire(partition) == RestoredTask(epoch: 1, entry: nil))
            let entry = TaskEntry(
                partition: partition, epoch: 1, low: 5, high: 9, lanes: [], streamTime: 3, streamTimeAtLow: 2,
                decisionFiles: [])
            let group = CommitGroup(tasks: [CommitGroup.Task(entry: entry, decisions: [])], flushes: [])
            #expect(try first.publish(group, writer: 0) == [entry])
            let second = try FileDeliveryStore(layout: layout, incarnation: "two")
            #expect(try second.acquire(partition).entry == entry)
            // The first has been fenced.
            #expect(try first.publish(group, writer: 0) == [])
            #expect(try FileDeliveryStore(layout: layout, incarnation: "three").acquire(partition).epoch == 3)
        }
    }
}

extension RestoredTask: Equatable {
    public static func == (left: RestoredTask, right: RestoredTask) -> Bool {
        left.epoch == right.epoch && left.entry == right.entry
    }
}
