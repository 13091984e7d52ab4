import Glibc
import Kafka
import Testing

/// Milliseconds of a clock that never jumps.
func nowMs() -> Int64 {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return Int64(now.tv_sec) * 1_000 + Int64(now.tv_nsec) / 1_000_000
}

/// Polls a condition until it holds; false when the deadline passed.
func eventually(within milliseconds: Int64 = 20_000, _ condition: () throws -> Bool) rethrows -> Bool {
    let deadline = nowMs() + milliseconds
    while nowMs() < deadline {
        if try condition() { return true }
        usleep(5_000)
    }
    return try condition()
}

/// The error a call is expected to end with.
func kafkaError(_ body: () throws -> Void) -> KafkaError? {
    do {
        try body()
        return nil
    } catch {
        return error as? KafkaError
    }
}

/// A value that closures on other threads add to.
final class Box<Value: Sendable>: @unchecked Sendable {
    private var stored: Value
    private var mutex = pthread_mutex_t()

    init(_ value: Value) {
        stored = value
        pthread_mutex_init(&mutex, nil)
    }

    deinit { pthread_mutex_destroy(&mutex) }

    var value: Value { update { $0 } }

    func update<R>(_ body: (inout Value) -> R) -> R {
        pthread_mutex_lock(&mutex)
        defer { pthread_mutex_unlock(&mutex) }
        return body(&stored)
    }
}
