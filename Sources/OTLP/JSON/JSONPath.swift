/// Finds where in a JSON text an offset lies, as `resourceSpans[0].scopeSpans[1].name`.
///
/// Runs only after an error, over text that was read without one up to the offset. It therefore keeps the parser free
/// of any bookkeeping.
enum JSONPath {
    private struct Frame {
        var isArray: Bool
        var index = 0
        var key: Range<Int>?
        var expectsKey: Bool
    }

    static func path(in base: UnsafePointer<UInt8>, upTo offset: Int) -> String {
        var frames: [Frame] = []
        var index = 0
        while index < offset {
            switch base[index] {
            case 0x7b: frames.append(Frame(isArray: false, expectsKey: true))
            case 0x5b: frames.append(Frame(isArray: true, expectsKey: false))
            case 0x7d, 0x5d: _ = frames.popLast()
            case 0x2c:
                guard let last = frames.indices.last else { break }
                if frames[last].isArray {
                    frames[last].index += 1
                } else {
                    frames[last].expectsKey = true
                    frames[last].key = nil
                }
            case 0x22:
                let start = index + 1
                index = start
                while index < offset, base[index] != 0x22 { index += base[index] == 0x5c ? 2 : 1 }
                if index < offset, let last = frames.indices.last, frames[last].expectsKey {
                    frames[last].key = start..<index
                    frames[last].expectsKey = false
                }
            default: break
            }
            index += 1
        }
        return text(of: frames, base)
    }

    private static func text(of frames: [Frame], _ base: UnsafePointer<UInt8>) -> String {
        var path = ""
        for frame in frames {
            if frame.isArray {
                path += "[\(frame.index)]"
            } else if let key = frame.key {
                if !path.isEmpty { path += "." }
                // A hostile key could be megabytes long; its start tells as much.
                let shown = UnsafeBufferPointer(start: base + key.lowerBound, count: min(key.count, 64))
                path += String(decoding: shown, as: UTF8.self)
            }
        }
        return path
    }
}
