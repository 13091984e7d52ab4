import Pipeline

/// The epoch files of one partition, as far as they can be read: whose entries count.
struct EpochHistory: Sendable, Equatable {
    private(set) var epochs: [UInt64: Epoch] = [:]
    /// Files that could not be read, with the reason.
    private(set) var unreadable: [UInt64: String] = [:]
    /// The newest epoch, readable or not; 0 where there is none.
    private(set) var newest: UInt64 = 0

    /// Up to which manifest an epoch's entries count.
    struct Limit: Sendable, Equatable {
        /// Nil for the newest owner's entries, which all count.
        var last: Epoch.ManifestPosition?

        func accepts(chain: String, sequence: UInt64) -> Bool {
            guard let last else { return true }
            return last.chain == chain && sequence <= last.sequence
        }
    }

    /// Reads what a partition's directory has and is not known yet; forgets what is gone.
    mutating func load(from directory: String, _ fileSystem: any FileSystem) throws(FileError) {
        let numbers = try FileDeliveryStore.epochNames(fileSystem.list(directory)).compactMap { UInt64($0) }
        let present = Set(numbers)
        epochs = epochs.filter { present.contains($0.key) }
        unreadable = unreadable.filter { present.contains($0.key) }
        for number in numbers where epochs[number] == nil { read(number, from: directory, fileSystem) }
    }

    /// One damaged file must not hide what the others say: it is noted, and the rest goes on.
    mutating func read(_ number: UInt64, from directory: String, _ fileSystem: any FileSystem) {
        newest = max(newest, number)
        do {
            epochs[number] = try Epoch.decode(
                try fileSystem.read(directory + "/" + FileDeliveryStore.padded(number)))
            unreadable[number] = nil
        } catch {
            unreadable[number] = String(describing: error)
        }
    }

    /// Epochs whose entries count, with the last manifest of each: from the newest owner back along its ancestors.
    ///
    /// An owner whose file cannot be read continued from some manifest of an earlier one: all of the latest earlier one that
    /// can be is accepted. What that one published after it was fenced is then shown too, which `problems` says.
    func acceptedEpochs() -> [UInt64: Limit] {
        guard newest > 0 else { return [:] }
        var accepted = [newest: Limit(last: nil)]
        var number = newest
        while true {
            if let epoch = epochs[number] {
                guard let parent = epoch.parent, accepted[parent.epoch] == nil else { return accepted }
                accepted[parent.epoch] = Limit(last: parent)
                number = parent.epoch
            } else if unreadable[number] != nil {
                let earlier = (Array(epochs.keys) + Array(unreadable.keys)).filter { $0 < number }
                guard let predecessor = earlier.max() else { return accepted }
                accepted[predecessor] = Limit(last: nil)
                number = predecessor
            } else {
                return accepted
            }
        }
    }
}

extension EpochHistory {
    /// Reads all of a partition's epoch files.
    init(directory: String, fileSystem: any FileSystem) throws(FileError) {
        self.init()
        try load(from: directory, fileSystem)
    }
}
