import Pipeline

/// The owners of one partition, and of each what counts: the newest owner's entries all do, an ancestor's up to the manifest
/// that its successor took over.
struct EpochHistory: Sendable {
    private(set) var epochs: [UInt64: Epoch] = [:]
    /// Epoch files that cannot be read, by number.
    private(set) var damaged: [UInt64: String] = [:]

    init(_ epochs: [UInt64: Epoch]) { self.epochs = epochs }

    /// Reads the partition's epoch files. One that cannot be read is noted and left out.
    init(directory: String, fileSystem: any FileSystem) throws(FileError) {
        for name in FileDeliveryStore.epochNames(try fileSystem.list(directory)) {
            guard let number = UInt64(name) else { continue }
            do {
                epochs[number] = try Epoch.decode(try fileSystem.read(directory + "/" + name))
            } catch {
                damaged[number] = "\(error)"
            }
        }
    }

    var newest: UInt64? { epochs.keys.max() }

    /// Whether an entry of `epoch`, published as manifest `sequence` of `chain`, counts.
    func accepts(epoch: UInt64, chain: String, sequence: UInt64) -> Bool {
        guard var number = newest else { return false }
        if number == epoch { return chain.hasPrefix((epochs[epoch]?.incarnation ?? "") + "-") }
        // Numbers fall along the chain of parents, so it ends, also where files are forged.
        while let parent = epochs[number]?.parent, parent.epoch < number {
            if parent.epoch == epoch { return parent.chain == chain && sequence <= parent.sequence }
            number = parent.epoch
        }
        return false
    }
}
