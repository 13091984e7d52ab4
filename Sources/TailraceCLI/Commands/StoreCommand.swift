import ArgumentParser
import Glibc
import OTLP
import Pipeline
import Storage
import Tailrace

struct StoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store", abstract: "Care of a store.",
        discussion: "Example: tailrace store verify /var/lib/tailrace", subcommands: [StoreVerifyCommand.self])
}

struct StoreVerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Checks everything in a store, and says exactly what is missing.",
        discussion: """
            Manifests against each other, against segments and decision files with every checksum, owners, files that nobody
            names; with --pipeline or --brokers also against the log's offsets. Reads only, safe beside running workers.
            Exit code 0 where nothing is missing (litter of a crash is harmless), 1 where something is.
            --repair removes unfinished writes, puts what nobody names into quarantine/, and moves a whole copy of a missing
            file to its place. It never deletes what a manifest names, and leaves running workers' files alone.
            Example: tailrace store verify /var/lib/tailrace --pipeline pipelines/kafka-tail-sampling.yaml
                     tailrace store verify ./data --repair
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

    @Argument(help: "Directory of the store.") var directory: String
    @Flag(help: "Do what can be done safely, and say what was done.") var repair = false
    @Option(help: "A pipeline file: its source's brokers, topic and group are compared.") var pipeline: String?
    @Option(help: "Brokers to compare with, instead of a pipeline's; the topics are those of the store.")
    var brokers: String?
    @Option(help: "Consumer group, with --brokers.") var group = "tailrace"
    @Option(
        help: """
            Files younger than this are left alone: an older Tailrace, or a worker on a machine whose locks are not seen \
            here, may be writing them.
            """)
    var grace = "10m"
    @Option(help: "text or json.") var format = Format.text

    func validate() throws {
        if Units.duration(grace) == nil { throw ValidationError("--grace \(grace) is no duration such as 10m") }
    }

    func run() throws {
        let layout = StoreLayout(root: directory)
        guard (try? LocalFileSystem().size(layout.manifests)) != nil else {
            throw CommandFailure("\(directory) holds no store; it would have a folder manifests")
        }
        let progress = ProgressLine()
        let started = WallClock.monotonic()
        var (report, running) = try look(layout, progress)
        if pipeline != nil || brokers != nil { try compareOffsets(&report) }
        let seconds = Double(WallClock.monotonic() - started) / 1000
        progress.finish(
            "looked at \(Figures.grouped(report.counts.segments)) segments in \(Figures.rounded(seconds)) s")

        var repaired: StoreRepair.Outcome?
        var isClean = report.isClean
        if repair {
            let outcome = StoreRepair(layout: layout).apply(report)
            repaired = outcome
            // What is left is found out by looking, not by believing what was done.
            if !outcome.done.isEmpty {
                var after = try look(layout, progress).report
                if pipeline != nil || brokers != nil { try compareOffsets(&after) }
                isClean = after.isClean
            }
        }
        switch format {
        case .text: Terminal.output(Self.text(report, repaired, running, isCleanNow: isClean))
        case .json: Terminal.output(Self.json(report, repaired, running, isCleanNow: isClean))
        }
        if !isClean || repaired?.failed.isEmpty == false { throw ExitCode(1) }
    }

    /// Checks the files; litter of killed workers' locks included.
    private func look(
        _ layout: StoreLayout, _ progress: ProgressLine
    ) throws -> (report: VerifyReport, running: Set<String>) {
        let locks = WorkerLocks(layout: layout)
        do {
            let running = try locks.running()
            let stale = try locks.stale()
            let killed = Set(stale.map { String($0.dropFirst("workers/".count).dropLast(".lock".count)) })
            let verifier = StoreVerifier(
                layout: layout, running: running, isSettled: settled(killed: killed),
                progress: { progress.show($0) })
            var report = try verifier.verify()
            for path in stale { report.add(.litter, "\(path): its worker was killed", .remove(path)) }
            return (report, running)
        } catch {
            throw CommandFailure("\(error)")
        }
    }

    /// Whether a file's last change is older than the grace time; a killed worker's lock says so at once.
    private func settled(killed: Set<String>) -> (String) -> Bool {
        let layout = StoreLayout(root: directory)
        let grace = Units.duration(grace) ?? 0
        return { relative in
            let incarnation = relative.split(separator: "/").dropFirst().first.map(String.init) ?? ""
            // Manifests are in a directory per writer: the incarnation and a number.
            if killed.contains(where: { incarnation == $0 || incarnation.hasPrefix($0 + "-") }) { return true }
            var information = stat()
            guard stat(layout.path(relative), &information) == 0 else { return false }
            return WallClock.now() - Int64(information.st_mtim.tv_sec) * 1000 >= grace
        }
    }

    // MARK: - Offsets

    private func compareOffsets(_ report: inout VerifyReport) throws {
        do {
            if let pipeline {
                let plan = try PipelineLoading.load(pipeline)
                for index in plan.sources where plan.stages[index].kind == "kafka" {
                    let settings = plan.stages[index].settings
                    let address = brokers.map(ClusterAddress.init(brokers:)) ?? ClusterAddress(stage: settings)
                    try compare(
                        address, topic: settings.string("topic") ?? "", group: settings.string("group") ?? group,
                        &report)
                }
            } else if let brokers {
                for topic in Set(report.newest.map(\.partition.topic)).sorted() {
                    try compare(ClusterAddress(brokers: brokers), topic: topic, group: group, &report)
                }
            }
        } catch let error as StageError {
            throw CommandFailure("\(error)")
        }
    }

    private func compare(
        _ address: ClusterAddress, topic: String, group: String, _ report: inout VerifyReport
    ) throws {
        let offsets = try OffsetSurvey.read(address, topic: topic, group: group)
        let known = Set(report.newest.map(\.partition).filter { $0.topic == topic }.map(\.cluster))
        if let cluster = offsets.first?.partition.cluster, !known.isEmpty, !known.contains(cluster) {
            report.add(
                .problem,
                "topic \(topic): the store was written from cluster \(known.sorted().joined(separator: ", ")), the brokers "
                    + "are cluster \(cluster); their offsets say nothing of each other")
            return
        }
        StoreVerifier.compare(&report, with: offsets)
    }

    // MARK: - Output

    private static func text(
        _ report: VerifyReport, _ repaired: StoreRepair.Outcome?, _ running: Set<String>, isCleanNow: Bool
    ) -> String {
        let counts = report.counts
        var lines = [
            "\(Figures.grouped(counts.manifests)) manifests, \(Figures.grouped(counts.partitions)) partitions, "
                + "\(Figures.grouped(counts.epochs)) epochs",
            "\(Figures.grouped(counts.segments)) segments, \(Figures.bytes(Int(clamping: counts.segmentBytes))), "
                + "\(Figures.grouped(counts.traces)) traces",
            "\(Figures.grouped(counts.decisionFiles)) decision files, \(Figures.grouped(counts.decisions)) decisions",
        ]
        if !running.isEmpty {
            lines.append("\(running.count) workers run; what they have not published yet is left alone")
        }
        for severity in [VerifyReport.Severity.problem, .litter, .note] {
            for finding in report.findings where finding.severity == severity {
                lines.append("\(severity.rawValue): \(finding.text)")
            }
        }
        if let repaired {
            lines += repaired.done.map { "repair: \($0)" } + repaired.failed.map { "repair failed: \($0)" }
            if repaired.done.isEmpty, repaired.failed.isEmpty { lines.append("repair: there was nothing to do") }
        }
        let problems = report.findings.count { $0.severity == .problem }
        let litter = report.findings.count { $0.severity == .litter }
        if repaired?.done.isEmpty == false, problems > 0 {
            lines.append(
                isCleanNow ? "clean after the repair" : "not clean after the repair; look again without --repair")
        } else if problems == 0 {
            let rest = litter > 0 && repaired == nil ? ", with \(litter) files of litter that --repair clears away" : ""
            lines.append("clean\(rest)")
        } else {
            lines.append("\(problems) \(problems == 1 ? "problem" : "problems")")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func json(
        _ report: VerifyReport, _ repaired: StoreRepair.Outcome?, _ running: Set<String>, isCleanNow: Bool
    ) -> [UInt8] {
        var json = JSONWriter()
        json.object {
            $0.member("clean", isCleanNow)
            $0.member("manifests", report.counts.manifests)
            $0.member("partitions", report.counts.partitions)
            $0.member("epochs", report.counts.epochs)
            $0.member("segments", report.counts.segments)
            $0.member("segment_bytes", report.counts.segmentBytes)
            $0.member("traces", report.counts.traces)
            $0.member("decision_files", report.counts.decisionFiles)
            $0.member("decisions", report.counts.decisions)
            $0.member("running_workers", running.count)
            $0.key("findings")
            $0.array {
                for finding in report.findings {
                    $0.object {
                        $0.member("severity", finding.severity.rawValue)
                        $0.member("text", finding.text)
                        $0.member("repairable", finding.remedy != nil)
                    }
                }
            }
            $0.key("repaired")
            $0.array { for line in repaired?.done ?? [] { $0.string(line) } }
            $0.key("repair_failed")
            $0.array { for line in repaired?.failed ?? [] { $0.string(line) } }
        }
        json.endLine()
        return json.bytes
    }
}
