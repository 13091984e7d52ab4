import Glibc

/// A named operating-system thread that runs one closure. Data is owned by threads here, not by tasks of Swift's
/// concurrency: a hand-over through an executor costs 20 µs (spec/performance.md).
package final class NamedThread: @unchecked Sendable {
    private var thread = pthread_t()
    private var isJoined = false

    private final class Body {
        let name: String
        let run: @Sendable () -> Void

        init(name: String, run: @escaping @Sendable () -> Void) {
            self.name = name
            self.run = run
        }
    }

    /// Starts at once. The name (at most 15 bytes are kept) shows in `top -H` and in debuggers.
    package init(name: String, _ run: @escaping @Sendable () -> Void) throws {
        let body = Unmanaged.passRetained(Body(name: String(name.prefix(15)), run: run))
        let code = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                let body = Unmanaged<Body>.fromOpaque(argument).takeRetainedValue()
                NamedThread.name(body.name)
                body.run()
                return nil
            }, body.toOpaque())
        if code != 0 {
            body.release()
            throw StageError("cannot start thread \(name): \(String(cString: strerror(code)))")
        }
    }

    /// Waits for the thread to end. Called by one thread.
    package func join() {
        guard !isJoined else { return }
        isJoined = true
        pthread_join(thread, nil)
    }

    /// Suspends the calling thread.
    package static func pause(milliseconds: Int) {
        usleep(useconds_t(milliseconds * 1000))
    }

    /// Names the calling thread. glibc's function for it is hidden behind _GNU_SOURCE; the kernel's file is not.
    private static func name(_ name: String) {
        let descriptor = open("/proc/thread-self/comm", O_WRONLY)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var name = name
        _ = name.withUTF8 { write(descriptor, $0.baseAddress, $0.count) }
    }
}
