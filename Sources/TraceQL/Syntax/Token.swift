/// A word, sign or value of a query.
struct Token: Equatable {
    enum Kind: Equatable {
        case end
        /// Punctuation and operators, as written.
        case sign(String)
        /// A bare word: keywords, intrinsics, functions, `true`, `ok`, …
        case word(String)
        /// `.key`, `span.key`, `parent.resource.key`.
        case attribute(AttributeReference)
        /// `parent.duration`.
        case parentIntrinsic(Intrinsic)
        /// `span:duration`.
        case intrinsic(Intrinsic)
        case string(String, isRaw: Bool)
        case int(Int64)
        case float(Double)
        /// Nanoseconds.
        case duration(Int64)
    }

    var kind: Kind
    /// Offsets into the query's UTF-8.
    var range: Range<Int>

    /// What it is, for messages.
    var phrase: String {
        switch kind {
        case .end: "the end of the query"
        case .sign(let sign): "\"\(sign)\""
        case .word(let word): "\"\(QueryProblem.printable(word))\""
        case .attribute, .parentIntrinsic: "an attribute"
        case .intrinsic(let intrinsic): "\"\(intrinsic.rawValue)\""
        case .string: "a string"
        case .int: "an integer"
        case .float: "a number"
        case .duration: "a duration"
        }
    }
}
