import Glibc
package import Kafka

/// Milliseconds of a clock that never jumps.
package func nowMs() -> Int64 {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return Int64(now.tv_sec) * 1_000 + Int64(now.tv_nsec) / 1_000_000
}

/// Polls a condition until it holds; false when the deadline passed.
package func eventually(within milliseconds: Int64 = 20_000, _ condition: () throws -> Bool) rethrows -> Bool {
    let deadline = nowMs() + milliseconds
    while nowMs() < deadline {
        if try condition() { return true }
        usleep(5_000)
    }
    return try condition()
}

/// The error a call is expected to end with.
package func kafkaError(_ body: () throws -> Void) -> KafkaError? {
    do {
        try body()
        return nil
    } catch {
        return error as? KafkaError
    }
}

/// A value that closures on other threads add to.
package final class Box<Value: Sendable>: @unchecked Sendable {
    private var stored: Value
    private var mutex = pthread_mutex_t()

    package init(_ value: Value) {
        stored = value
        pthread_mutex_init(&mutex, nil)
    }

    deinit { pthread_mutex_destroy(&mutex) }

    package var value: Value { update { $0 } }

    package func update<R>(_ body: (inout Value) -> R) -> R {
        pthread_mutex_lock(&mutex)
        defer { pthread_mutex_unlock(&mutex) }
        return body(&stored)
    }
}
