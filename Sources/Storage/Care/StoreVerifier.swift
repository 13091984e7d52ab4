import Glibc
import Pipeline

/// Checks a store: manifests against each other, against segments and decision files with every checksum, owners, files
/// that nobody names, and the offsets of the log.
///
/// Reads only. Memory is bounded by the number of manifests and the largest segment. Blocks on files.
public struct StoreVerifier {
    let layout: StoreLayout
    let fileSystem: any FileSystem
    let running: Set<String>
    let isSettled: (String) -> Bool
    private let progress: (String) -> Void

    /// - Parameters:
    ///   - running: incarnations of workers that run: what they have not named yet is not litter.
    ///   - isSettled: whether a file (relative path) has been left alone for so long that no running writer can mean it.
    ///   - progress: told what is being looked at.
    public init(
        layout: StoreLayout, fileSystem: any FileSystem = LocalFileSystem(), running: Set<String> = [],
        isSettled: @escaping (String) -> Bool = { _ in true }, progress: @escaping (String) -> Void = { _ in }
    ) {
        self.layout = layout
        self.fileSystem = fileSystem
        self.running = running
        self.isSettled = isSettled
        self.progress = progress
    }

    /// - Throws: where directories cannot be listed; everything else is a finding.
    public func verify() throws -> VerifyReport {
        var report = VerifyReport()
        let survey = try ManifestSurvey(layout: layout, fileSystem: fileSystem, progress: progress)
        report.counts.manifests = survey.chains.values.reduce(0) { $0 + $1.count }
        checkChains(survey, &report)
        checkOwners(survey, &report)
        checkEntries(survey, &report)
        checkDecisionFiles(survey, &report)
        try checkSegments(survey, &report)
        try findOrphans(survey, &report)
        return report
    }

    /// Compares the newest entries with the log: committed offset ≤ watermark ≤ end of the log, and nothing that is still
    /// to be read is gone (I3, I14).
    public static func compare(_ report: inout VerifyReport, with offsets: [PartitionOffsets]) {
        for partition in offsets.sorted(by: { $0.partition < $1.partition }) {
            let name = "\(partition.partition)"
            guard let entry = report.newest.first(where: { $0.partition == partition.partition }) else {
                report.add(
                    .note,
                    "\(name): the store knows nothing of it; its owner starts at "
                        + (partition.committed.map { "the committed offset \($0)" } ?? "the start that the source names")
                )
                continue
            }
            if let committed = partition.committed, committed > entry.low {
                report.add(
                    .problem,
                    "\(name): offset \(committed) is committed, but the store is done only below \(entry.low): offsets "
                        + "\(entry.low) to \(committed - 1) would be skipped if this store were lost")
            }
            if entry.low > partition.end {
                report.add(
                    .problem,
                    "\(name): the store goes on at offset \(entry.low), the log ends at \(partition.end): the topic was "
                        + "recreated or cut, or this is another cluster")
            } else if entry.low < partition.start {
                report.add(
                    .problem,
                    "\(name): offsets \(entry.low) to \(partition.start - 1) (\(partition.start - entry.low)) hold spans "
                        + "that are not stored, and are gone from the log, which starts at \(partition.start)")
            }
        }
    }

    // MARK: - Manifests

    private func checkChains(_ survey: ManifestSurvey, _ report: inout VerifyReport) {
        for damage in survey.damaged {
            report.lacksManifests = true
            report.add(.problem, "manifests/\(damage.chain)/\(damage.name) cannot be read: \(damage.reason)")
        }
        for (chain, items) in survey.chains.sorted(by: { $0.key < $1.key }) {
            if let first = items.first, first.sequence > 1 { checkGap(first, chain, &report) }
            for (before, after) in zip(items, items.dropFirst()) {
                if after.sequence != before.sequence + 1 {
                    checkGap(after, chain, &report)
                } else if after.previousChecksum != before.checksum {
                    report.add(
                        .problem,
                        "manifest \(chain)/\(after.sequence) was written after another manifest \(before.sequence) than "
                            + "the one that is there")
                }
            }
        }
    }

    /// Manifests before one are gone. The collector removes those that show nothing; what showed something is missed by the
    /// decision log (see `missing`). The last one may still be there under its temporary name: the next one's checksum tells.
    private func checkGap(_ after: ManifestSurvey.ManifestItem, _ chain: String, _ report: inout VerifyReport) {
        let name = "manifests/\(chain)/\(FileDeliveryStore.manifestName(after.sequence - 1))"
        if let bytes = try? fileSystem.read(layout.path(name + ".tmp")), Checksum.of(bytes) == after.previousChecksum {
            report.lacksManifests = true
            report.add(
                .problem, "\(name) is missing or damaged; \(name).tmp has its contents",
                .restore(from: name + ".tmp", to: name))
        }
    }

    // MARK: - Owners

    private func checkOwners(_ survey: ManifestSurvey, _ report: inout VerifyReport) {
        report.counts.partitions = survey.histories.count + survey.strangeEpochDirectories.count
        let named =
            survey.histories.map { (FileDeliveryStore.directoryName($0.key), Optional($0.key), $0.value) }
            + survey.strangeEpochDirectories.map { ($0.directory, nil, $0.history) }
        for (directory, partition, history) in named.sorted(by: { $0.0 < $1.0 }) {
            report.counts.epochs += history.epochs.count
            for (number, reason) in history.unreadable.sorted(by: { $0.key < $1.key }) {
                report.add(
                    .problem, "epochs/\(directory)/\(FileDeliveryStore.padded(number)) cannot be read: \(reason)")
            }
            checkParents(history, directory, partition, survey, &report)
        }
        for partition in Set(survey.chains.values.joined().flatMap { $0.entries.map(\.partition) }).sorted()
        where survey.histories[partition] == nil {
            report.add(
                .problem,
                "epochs/\(FileDeliveryStore.directoryName(partition)) is missing: nothing that was stored of \(partition) "
                    + "is visible")
        }
    }

    private func checkParents(
        _ history: EpochHistory, _ directory: String, _ partition: PartitionID?, _ survey: ManifestSurvey,
        _ report: inout VerifyReport
    ) {
        var current = history.newest
        while let parent = history.epochs[current]?.parent {
            guard parent.epoch < current else {
                report.add(.problem, "epochs/\(directory): epoch \(current) says it continues epoch \(parent.epoch)")
                return
            }
            if history.epochs[parent.epoch] == nil, history.unreadable[parent.epoch] == nil,
                history.epochs.keys.contains(where: { $0 < parent.epoch })
            {
                report.add(
                    .problem,
                    "epochs/\(directory): epoch \(parent.epoch), which epoch \(current) continues, is missing: what epochs "
                        + "before it stored is not visible")
            }
            let isThere = survey.has(parent.chain, parent.sequence)
            let hasPublished = survey.chains.values.joined().contains { item in
                item.entries.contains { $0.partition == partition && $0.epoch == current }
            }
            // What an owner continued is needed until it has published itself.
            if !isThere, current == history.newest, !hasPublished {
                report.add(
                    .problem,
                    "manifest \(parent.chain)/\(parent.sequence), from which epoch \(current) of \(directory) continues, "
                        + "is missing: nobody can take the partition over. Restore the file")
            }
            current = parent.epoch
        }
    }

    // MARK: - Entries

    private func checkEntries(_ survey: ManifestSurvey, _ report: inout VerifyReport) {
        for (partition, entries) in survey.acceptedEntries().sorted(by: { $0.key < $1.key }) {
            for (item, entry) in entries where entry.low > entry.high {
                report.add(
                    .problem,
                    "manifest \(item.chain)/\(item.sequence): \(partition) has watermark \(entry.low) beyond its highest "
                        + "offset \(entry.high)")
            }
            for (before, after) in zip(entries, entries.dropFirst()) where after.entry.low < before.entry.low {
                report.add(
                    .note,
                    "\(partition): the watermark went back from \(before.entry.low) to \(after.entry.low) with manifest "
                        + "\(after.item.chain)/\(after.item.sequence): the log was recreated or cut")
            }
            guard let last = entries.last, let newest = newestEntry(last.item, partition) else { continue }
            report.newest.append(newest)
        }
    }

    private func newestEntry(_ item: ManifestSurvey.ManifestItem, _ partition: PartitionID) -> TaskEntry? {
        let path = "\(layout.manifests)/\(item.chain)/\(FileDeliveryStore.manifestName(item.sequence))"
        guard let bytes = try? fileSystem.read(path), let manifest = try? Manifest.decode(bytes) else { return nil }
        return manifest.entries.first { $0.partition == partition }
    }

    // MARK: - Decisions

    private func checkDecisionFiles(_ survey: ManifestSurvey, _ report: inout VerifyReport) {
        var needed: [String: [PartitionID]] = [:]
        for entry in report.newest {
            for file in entry.decisionFiles { needed[file.path, default: []].append(entry.partition) }
        }
        for (path, length) in survey.namedDecisionFiles.sorted(by: { $0.key < $1.key }) {
            progress("decisions: \(path)")
            report.counts.decisionFiles += 1
            do {
                let reader = try DecisionFileReader(path: layout.path(path), length: length, fileSystem: fileSystem)
                try reader.forEachGroup { group in
                    let blocks = try reader.verify(group)
                    report.counts.decisions += UInt64(blocks.reduce(0) { $0 + $1.records.count })
                    checkManifest(of: group, blocks, path, survey, &report)
                }
                let size = try fileSystem.size(layout.path(path))
                let incarnation = path.split(separator: "/").dropFirst().first.map(String.init) ?? ""
                if size > length, !running.contains(incarnation) {
                    report.add(.note, "\(path) has \(size - length) bytes more than was published: a crash left them")
                }
            } catch {
                let partitions = Set(needed[path] ?? []).sorted().map(\.description).joined(separator: ", ")
                // A file that no successor needs any more may be gone: it was cleaned up.
                if partitions.isEmpty, let error = error as? FileError, error.isMissing {
                    report.counts.decisionFiles -= 1
                    continue
                }
                report.add(
                    .problem,
                    "\(path): \(error); "
                        + (partitions.isEmpty
                            ? "decisions in it cannot be explained any more"
                            : "the next owner of \(partitions) cannot start without it. Restore the file"))
            }
        }
    }

    /// A flush that kept traces is there as long as they are: without its manifest nobody sees them.
    private func checkManifest(
        of group: DecisionFileReader.Group, _ blocks: [DecisionBlock], _ path: String, _ survey: ManifestSurvey,
        _ report: inout VerifyReport
    ) {
        guard let sequence = group.header?.sequence, let chain = Self.chain(ofDecisionFile: path),
            !survey.has(chain, sequence)
        else { return }
        let lost = blocks.filter { block in
            block.records.contains(where: \.isKept)
                && survey.accepts(block.partition, epoch: block.epoch, chain: chain, sequence: sequence)
        }
        if lost.isEmpty { return }
        report.lacksManifests = true
        let kept = lost.flatMap(\.records).filter(\.isKept)
        let ranges = Set(lost.map(\.partition)).sorted().map { partition in
            let records = lost.filter { $0.partition == partition }.flatMap(\.records).filter(\.isKept)
            let first = records.map(\.firstOffset).min() ?? 0
            return "\(partition) offsets \(first) to \(records.map(\.lastOffset).max() ?? first)"
        }
        report.add(
            .problem,
            "manifest \(chain)/\(sequence) is missing or damaged: \(kept.count) traces with "
                + "\(kept.reduce(0) { $0 + UInt64($1.spanCount) }) spans that it made visible are not (\(ranges.joined(separator: ", ")))"
        )
    }

    /// `decisions/<incarnation>/<writer>-<n>.log` belongs to the chain `<incarnation>-<writer>`.
    static func chain(ofDecisionFile path: String) -> String? {
        let parts = path.split(separator: "/")
        guard parts.count == 3, let writer = parts[2].split(separator: "-").first else { return nil }
        return "\(parts[1])-\(writer)"
    }

    // MARK: - Segments

    private func checkSegments(_ survey: ManifestSurvey, _ report: inout VerifyReport) throws {
        let items = survey.chains.values.joined().filter { !$0.segments.isEmpty }
        var done = 0
        let total = items.reduce(0) { $0 + $1.segments.count }
        for item in items.sorted(by: { ($0.chain, $0.sequence) < ($1.chain, $1.sequence) }) {
            let accepted = survey.accepted(item)
            for segment in item.segments {
                done += 1
                progress("segment \(done) of \(total): \(segment.path)")
                if accepted.isEmpty {
                    report.add(
                        .note,
                        "\(segment.path) is invisible: its owner had lost its partitions when it was written (fenced)")
                    continue
                }
                report.counts.segments += 1
                if let reason = check(segment, &report) {
                    try explain(segment, reason, item, accepted, survey, &report)
                }
            }
        }
    }

    /// What is wrong with a segment; nil where nothing is.
    private func check(_ segment: SegmentReference, _ report: inout VerifyReport) -> String? {
        do {
            let path = layout.path(segment.path)
            let reader = try SegmentReader(path: path, expectedByteCount: segment.byteCount, fileSystem: fileSystem)
            guard Checksum.of(try fileSystem.read(path)) == segment.checksum else {
                return "has other bytes than were written"
            }
            try reader.verify()
            report.counts.segmentBytes += segment.byteCount
            report.counts.traces += UInt64(reader.traceCount)
            return nil
        } catch let error as SegmentError {
            return error.code == .missing ? "is missing" : error.explanation
        } catch {
            return "\(error)"
        }
    }

    private func explain(
        _ segment: SegmentReference, _ reason: String, _ item: ManifestSurvey.ManifestItem,
        _ accepted: [ManifestSurvey.Entry], _ survey: ManifestSurvey, _ report: inout VerifyReport
    ) throws {
        let ranges = accepted.sorted { $0.partition < $1.partition }
            .map { "\($0.partition) (read with \(survey.offsets(of: $0, in: item)))" }.joined(separator: ", ")
        let text =
            "\(segment.path), which manifest \(item.chain)/\(item.sequence) names, \(reason): traces of \(ranges) are lost "
            + "to readers\(Self.traces(lostTraces(item.chain, [item.sequence])))"
        let copy = try intactCopy(of: segment)
        report.add(
            .problem, text + (copy.map { "; \($0) has its contents" } ?? ""),
            copy.map { .restore(from: $0, to: segment.path) })
    }

    /// What the decision log says was kept by the flushes that are lost.
    private func lostTraces(_ chain: String, _ sequences: Set<UInt64>) -> (traces: Int, spans: UInt64)? {
        let parts = chain.split(separator: "-")
        guard let writer = parts.last else { return nil }
        let incarnation = parts.dropLast().joined(separator: "-")
        let directory = layout.decisions + "/" + incarnation
        var found: (traces: Int, spans: UInt64)?
        for name in (try? fileSystem.list(directory)) ?? [] where name.hasPrefix("\(writer)-") {
            guard let reader = try? DecisionFileReader(path: directory + "/" + name, fileSystem: fileSystem) else {
                continue
            }
            try? reader.forEachGroup { group in
                guard let sequence = group.header?.sequence, sequences.contains(sequence) else { return }
                for record in try reader.blocks(of: group).flatMap(\.records) where record.isKept {
                    found = ((found?.traces ?? 0) + 1, (found?.spans ?? 0) + UInt64(record.spanCount))
                }
            }
        }
        return found
    }

    private static func traces(_ lost: (traces: Int, spans: UInt64)?) -> String {
        lost.map { "; the decision log counts \($0.traces) kept traces with \($0.spans) spans there" } ?? ""
    }
}

extension FileError {
    /// The file is not there.
    var isMissing: Bool { code == ENOENT }
}
