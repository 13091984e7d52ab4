package import Pipeline

/// One thing that a reader of an imported pipeline should know. Nothing of the input goes without either a stage or a note.
package struct ImportNote: Sendable, Hashable {
    package enum Kind: String, Sendable, CaseIterable {
        /// Carried over, or not needed here; nothing is to be done.
        case info
        /// Carried over, and means something slightly different here.
        case changed
        /// Not carried over: the message says what to do instead.
        case attention
    }

    package var kind: Kind
    /// Where it stands in the input.
    package var location: SourceLocation
    /// What it is about, as the input calls it, for example `processors::filter/health`.
    package var subject: String
    /// What became of it, and what to do.
    package var message: String

    package init(_ kind: Kind, _ subject: String, _ message: String, at location: SourceLocation) {
        self.kind = kind
        self.location = location
        self.subject = subject
        self.message = message
    }
}
