import Foundation
import Glibc

/// Runs the real program and takes what it writes.
struct Command {
    var code: Int32
    var output: String
    var errors: String

    /// Started with posix_spawn, so that waiting needs no run loop.
    init(_ arguments: [String]) throws {
        let folder = URL(fileURLWithPath: "/tmp/tailrace-command-\(UInt64.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let program = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
            .deletingLastPathComponent().appendingPathComponent("tailrace").path
        let files = ["out", "err"].map { folder.appendingPathComponent($0).path }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (index, file) in files.enumerated() {
            posix_spawn_file_actions_addopen(&actions, Int32(index + 1), file, O_WRONLY | O_CREAT, 0o600)
        }
        var pointers = ([program] + arguments).map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        var process: pid_t = 0
        let failure = posix_spawn(&process, program, &actions, nil, &pointers, environ)
        guard failure == 0 else { throw POSIXError(POSIXErrorCode(rawValue: failure) ?? .ENOENT) }
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        code = status & 0x7f == 0 ? status >> 8 & 0xff : -(status & 0x7f)
        output = try String(contentsOfFile: files[0], encoding: .utf8)
        errors = try String(contentsOfFile: files[1], encoding: .utf8)
    }

    init(_ arguments: String...) throws { try self.init(arguments) }
}
