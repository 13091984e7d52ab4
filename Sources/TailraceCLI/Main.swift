import ArgumentParser
import Glibc

/// The `tailrace` program.
@main
struct Main {
    static func main() async {
        // Output into a pipe that was closed (`tailrace search | head`) must end quietly, and a dropped connection must not
        // end the process.
        signal(SIGPIPE, SIG_IGN)
        do {
            var command = try TailraceCommand.parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch let failure as CommandFailure {
            Terminal.error(failure.message)
            exit(1)
        } catch {
            exit(code(for: error))
        }
    }

    /// 0 ok, 1 failed, 2 usage.
    private static func code(for error: any Error) -> Int32 {
        let exitCode = TailraceCommand.exitCode(for: error)
        let message = TailraceCommand.fullMessage(for: error)
        if exitCode == .success {
            if !message.isEmpty { print(message) }
            return 0
        }
        if !message.isEmpty { Terminal.write(message + "\n") }
        return exitCode == .validationFailure ? 2 : exitCode == .failure ? 1 : exitCode.rawValue
    }
}

/// The root of the command line.
struct TailraceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tailrace",
        abstract: "Keeps the traces that matter: tail sampling from Kafka to files, and queries on them.",
        discussion: """
            First look:   tailrace up
            On Kafka:     tailrace run pipelines/kafka-tail-sampling.yaml
            """,
        version: "0.1.0",
        subcommands: [
            UpCommand.self, RunCommand.self, ServeCommand.self, ValidateCommand.self, GraphCommand.self,
            SchemaCommand.self, DecideCommand.self, CompareCommand.self, TestCommand.self, SimulateCommand.self,
            ImportCommand.self, ReplayCommand.self, GenerateCommand.self, TraceCommand.self, SearchCommand.self,
            ExplainCommand.self, DeadLetterCommand.self, StoreCommand.self,
        ])
}
