import Pipeline

/// Files that nobody names: what a crash between two steps leaves.
extension StoreVerifier {
    func findOrphans(_ survey: ManifestSurvey, _ report: inout VerifyReport) throws {
        let segments = survey.namedSegments
        let decisions = survey.namedDecisionFiles
        // What a restore moves to its place must not be moved away before.
        let sources = Set(
            report.findings.compactMap { finding in
                if case .restore(let from, _) = finding.remedy { return from }
                return nil
            })
        for (folder, path) in [("segments", layout.segments), ("decisions", layout.decisions)] {
            for incarnation in try fileSystem.list(path) where !running.contains(incarnation) {
                for name in try fileSystem.list(path + "/" + incarnation) {
                    let relative = "\(folder)/\(incarnation)/\(name)"
                    if sources.contains(relative) || segments.contains(relative) || decisions[relative] != nil
                        || !isSettled(relative)
                    {
                        continue
                    }
                    if name.hasSuffix(".tmp") {
                        report.add(.litter, "\(relative): a write that was not finished", .remove(relative))
                    } else if report.lacksManifests {
                        report.add(
                            .note, "\(relative): no manifest that can be read names it; it stays, since some cannot")
                    } else {
                        // Its spans are in the log still, or in the file of whoever read them again.
                        report.add(.litter, "\(relative): no manifest names it", .putAside(relative))
                    }
                }
            }
        }
        for chain in try fileSystem.list(layout.manifests) where !isRunning(chain: chain) {
            for name in try fileSystem.list(layout.manifests + "/" + chain) where name.hasSuffix(".tmp") {
                let relative = "manifests/\(chain)/\(name)"
                if sources.contains(relative) || !isSettled(relative) { continue }
                report.add(.litter, "\(relative): a manifest that was not published", .remove(relative))
            }
        }
        // Their names do not say whose they are.
        guard running.isEmpty else { return }
        for directory in try fileSystem.list(layout.epochs) {
            for name in try fileSystem.list(layout.epochs + "/" + directory) where name.hasSuffix(".tmp") {
                let relative = "epochs/\(directory)/\(name)"
                if !isSettled(relative) { continue }
                report.add(.litter, "\(relative): an epoch file that was not finished", .remove(relative))
            }
        }
    }

    private func isRunning(chain: String) -> Bool {
        running.contains { chain.hasPrefix($0 + "-") }
    }

    /// A file that has exactly a segment's bytes, under another name: put aside by a repair, or moved by hand.
    func intactCopy(of segment: SegmentReference) throws -> String? {
        for root in [layout.quarantine + "/segments", layout.segments] {
            for directory in try fileSystem.list(root) {
                for name in (try? fileSystem.list(root + "/" + directory)) ?? [] {
                    let path = root + "/" + directory + "/" + name
                    let relative = String(path.dropFirst(layout.root.count + 1))
                    guard relative != segment.path, (try? fileSystem.size(path)) == segment.byteCount,
                        let bytes = try? fileSystem.read(path), Checksum.of(bytes) == segment.checksum
                    else { continue }
                    return relative
                }
            }
        }
        return nil
    }
}
