import Synchronization

/// Objects that the stages of one worker share with each other and with the worker around them, by name: most stages exist
/// once per task, and some of what they learn is wanted once per process. Thread-safe.
public final class SharedObjects: Sendable {
    private let objects = Mutex<[String: any AnyObject & Sendable]>([:])

    public init() {}

    /// The object with a name, made by whoever asks first. A name belongs to one type.
    public func object<Object: AnyObject & Sendable>(_ name: String, make: () -> Object) -> Object {
        objects.withLock { objects in
            if let known = objects[name] as? Object { return known }
            let made = make()
            objects[name] = made
            return made
        }
    }

    /// All objects of a type, sorted by name.
    public func all<Object: AnyObject & Sendable>(_ type: Object.Type) -> [Object] {
        objects.withLock { objects in
            objects.sorted { $0.key < $1.key }.compactMap { $0.value as? Object }
        }
    }
}
