/// A value of a configuration file that knows where it stands. Independent of the YAML library.
public struct ConfigValue: Sendable, Equatable {
    public indirect enum Content: Sendable, Equatable {
        /// `isQuoted` keeps `"true"` and `true` apart.
        case scalar(String, isQuoted: Bool)
        case list([ConfigValue])
        case map([ConfigEntry])
        case null
    }

    public var content: Content
    public var location: SourceLocation
    /// Where each line of a scalar's text begins in the file. Empty where that is not known: escapes, folding and `${…}` move
    /// characters.
    package var textLines: [SourceLocation] = []
    /// Columns of the text's scalars in the scalar's line, where escapes move them; empty otherwise.
    package var textColumns: [Int] = []

    public init(_ content: Content, at location: SourceLocation) {
        self.content = content
        self.location = location
    }

    /// The value of a key, or nil where this is no map or has no such key.
    public subscript(key: String) -> ConfigValue? {
        #if DEBUG
            ConfigReads.recorder?.note(key, in: self, as: nil)
        #endif
        return entries.first { $0.key == key }?.value
    }

    /// This map with another value for a key that it has.
    package func replacing(_ key: String, with value: ConfigValue) -> ConfigValue {
        var copy = self
        copy.content = .map(
            entries.map { entry in
                var entry = entry
                if entry.key == key { entry.value = value }
                return entry
            })
        return copy
    }

    public var entries: [ConfigEntry] {
        if case .map(let entries) = content { return entries }
        return []
    }

    public var elements: [ConfigValue] {
        if case .list(let elements) = content { return elements }
        return []
    }

    public var scalar: String? {
        if case .scalar(let text, _) = content { return text }
        return nil
    }

    /// The place in the file of a place in a scalar's text, or of the scalar where that is all that is known.
    ///
    /// - Parameters: line and column in the text; both count from 1, columns in Unicode scalars.
    package func location(ofTextLine line: Int, column: Int) -> SourceLocation {
        guard line >= 1, line <= textLines.count else { return location }
        var place = textLines[line - 1]
        place.column += column - 1
        return place
    }

    /// The place in the file of an offset into a scalar's text, for a message about it.
    ///
    /// - Parameter offset: into the text's UTF-8.
    /// - Returns: the place, and what to add to the message where only the scalar's own place is known.
    package func place(ofOffset offset: Int) -> (location: SourceLocation, hint: String) {
        var line = 1
        var column = 1
        for byte in (scalar ?? "").utf8.prefix(offset) {
            if byte == UInt8(ascii: "\n") {
                line += 1
                column = 1
            } else if byte & 0xC0 != 0x80 {
                column += 1
            }
        }
        if line <= textLines.count { return (location(ofTextLine: line, column: column), "") }
        let index = (scalar ?? "").utf8.prefix(offset).count { $0 & 0xC0 != 0x80 }
        if index < textColumns.count {
            var place = location
            place.column = textColumns[index]
            return (place, "")
        }
        return (location, line == 1 ? " (at character \(column))" : " (at line \(line), character \(column))")
    }
}

/// One key of a map with its value.
public struct ConfigEntry: Sendable, Equatable {
    public var key: String
    public var keyLocation: SourceLocation
    public var value: ConfigValue

    public init(key: String, keyLocation: SourceLocation, value: ConfigValue) {
        self.key = key
        self.keyLocation = keyLocation
        self.value = value
    }
}

/// A place in a configuration file; line and column count from 1.
public struct SourceLocation: Sendable, Hashable, Comparable, CustomStringConvertible {
    public var file: String
    public var line: Int
    public var column: Int

    public init(file: String, line: Int, column: Int) {
        self.file = file
        self.line = line
        self.column = column
    }

    public static func < (left: SourceLocation, right: SourceLocation) -> Bool {
        (left.file, left.line, left.column) < (right.file, right.line, right.column)
    }

    public var description: String { "\(file):\(line):\(column)" }
}
