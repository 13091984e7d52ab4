import Glibc
import Pipeline
import Synchronization

/// What people read goes to stderr; what machines read goes to stdout.
enum Terminal {
    static func write(_ text: String) {
        var text = text
        text.withUTF8 { bytes in
            var written = 0
            while written < bytes.count {
                let count = Glibc.write(2, bytes.baseAddress.map { $0 + written }, bytes.count - written)
                if count <= 0 { return }
                written += count
            }
        }
    }

    static func line(_ text: String) { write(text + "\n") }

    static func error(_ message: String) { write("tailrace: \(message)\n") }

    static var isTerminal: Bool { isatty(2) == 1 }

    static var outputIsTerminal: Bool { isatty(1) == 1 }

    /// Columns of the terminal; 120 where there is none.
    static var width: Int {
        var size = winsize()
        if ioctl(1, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 20 { return Int(size.ws_col) }
        return 120
    }

    /// Writes machine output; large output is written in one go. False when the reader is gone.
    @discardableResult
    static func output(_ bytes: [UInt8]) -> Bool {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.write(1, $0.baseAddress.map { $0 + written }, bytes.count - written)
            }
            if count < 0 {
                if errno == EINTR { continue }
                return false
            }
            written += count
        }
        return true
    }

    static func output(_ text: String) { output(Array(text.utf8)) }
}

/// A command could not do its work: exit code 1 with one message.
struct CommandFailure: Error {
    let message: String

    init(_ message: String) { self.message = message }
}

/// A line on stderr that is rewritten in place on a terminal, and written every ten seconds elsewhere.
final class ProgressLine {
    private var lastShown: Int64
    private let isTerminal = Terminal.isTerminal

    /// - Parameter isPatient: say nothing at first, for what is mostly done at once.
    init(isPatient: Bool = false) { lastShown = isPatient ? WallClock.monotonic() : 0 }

    func show(_ text: @autoclosure () -> String) {
        let now = WallClock.monotonic()
        guard now - lastShown >= (isTerminal ? 200 : 10_000) else { return }
        lastShown = now
        Terminal.write(isTerminal ? "\r\u{1b}[K\(text())" : text() + "\n")
    }

    /// Takes the line away.
    func clear() {
        if isTerminal { Terminal.write("\r\u{1b}[K") }
    }

    func finish(_ text: String) {
        Terminal.write((isTerminal ? "\r\u{1b}[K" : "") + text + "\n")
    }
}

/// Log lines of long-running commands: time, then text. Lines that repeat within ten seconds are counted, not written.
final class EventLog: Sendable {
    private struct Recent {
        var text = ""
        var at: Int64 = 0
        var repeats = 0
    }

    private let recent = Mutex(Recent())

    func write(_ text: String) {
        let now = WallClock.now()
        let suppressed = recent.withLock { recent -> Int? in
            if recent.text == text, now - recent.at < 10_000 {
                recent.repeats += 1
                return nil
            }
            defer { recent = Recent(text: text, at: now) }
            return recent.repeats
        }
        guard let suppressed else { return }
        if suppressed > 0 { Terminal.line("\(Self.time(now)) (the line before came \(suppressed) more times)") }
        Terminal.line("\(Self.time(now)) \(text)")
    }

    /// `hh:mm:ss` in local time.
    private static func time(_ milliseconds: Int64) -> String {
        var seconds = time_t(milliseconds / 1000)
        var parts = tm()
        localtime_r(&seconds, &parts)
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
    }
}

/// Numbers for people.
enum Figures {
    /// `12,345`
    static func grouped(_ number: some BinaryInteger) -> String {
        let digits = String(number)
        var result = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, digit != "-", (digits.count - index) % 3 == 0, result != "-" { result.append(",") }
            result.append(digit)
        }
        return result
    }

    /// `1.2 GB`
    static func bytes(_ count: Int) -> String {
        var value = Double(count)
        for unit in ["B", "kB", "MB", "GB"] {
            if value < 1000 { return unit == "B" ? "\(count) B" : "\(rounded(value)) \(unit)" }
            value /= 1000
        }
        return "\(rounded(value)) TB"
    }

    static func rounded(_ value: Double) -> String {
        String((value * 10).rounded() / 10)
    }
}
