/// One rule: what it selects, where it looks, and what becomes of what it finds.
///
/// Selection: `keys` alone takes the whole value of every attribute with such a key. `values` or `detectors` alone take
/// the matching parts of every text. Both together take the matching parts of the values with such a key.
public struct ScrubRule: Hashable, Sendable {
    /// Unique; the `rule` label of the metric.
    public var name: String
    public var action: Action
    /// Attribute keys, compared byte by byte; `*` stands for any characters, dots included.
    public var keys: [String]
    /// Regular expressions that are searched in attribute keys: a key that has a match is selected like one of `keys`.
    public var keyPatterns: [String]
    /// Attribute keys that the rule leaves alone, with all that is in their values; written like `keys`.
    public var exceptions: [String]
    /// Regular expressions that are searched in attribute keys: a key that has a match is an exception.
    public var exceptionPatterns: [String]
    /// Regular expressions that are searched in string and bytes values and in plain texts.
    public var values: [String]
    /// Built-in searches, used like `values`.
    public var detectors: [Detector]
    /// Places the rule looks at; nil means everywhere it can find something.
    public var places: Set<ScrubPlace>?

    public init(
        name: String, action: Action, keys: [String] = [], keyPatterns: [String] = [], values: [String] = [],
        detectors: [Detector] = [], places: Set<ScrubPlace>? = nil, exceptions: [String] = [],
        exceptionPatterns: [String] = []
    ) {
        self.name = name
        self.action = action
        self.keys = keys
        self.keyPatterns = keyPatterns
        self.exceptions = exceptions
        self.exceptionPatterns = exceptionPatterns
        self.values = values
        self.detectors = detectors
        self.places = places
    }

    /// What becomes of a selected value or text.
    public enum Action: Hashable, Sendable {
        /// Removes the attribute, the array element or the map entry. In a plain text (span name, status message, event
        /// name), the match becomes `[deleted]`.
        case delete
        /// Replaces the text by a mask.
        case mask(Mask)
        /// Replaces the text by 16 hex digits of HMAC-SHA256: equal values stay equal and cannot be read.
        case hash(key: String)
        /// Keeps the first `length` characters (Unicode scalars).
        case truncate(length: Int)
        /// Gives attributes with the rule's keys a fixed value.
        case set(Assignment)
    }

    /// How a mask looks: `keepFirst` characters, `replacement`, `keepLast` characters.
    ///
    /// The replacement's length is fixed, so a mask tells nothing of the value's length. When more than half of the
    /// value would stay visible, nothing does: keeping two characters of a three-character user id would mask very
    /// little.
    public struct Mask: Hashable, Sendable {
        public var keepFirst: Int
        public var keepLast: Int
        public var replacement: String

        public init(keepFirst: Int = 0, keepLast: Int = 0, replacement: String = "****") {
            self.keepFirst = keepFirst
            self.keepLast = keepLast
            self.replacement = replacement
        }
    }

    /// A built-in search for a kind of secret.
    public enum Detector: String, Hashable, Sendable, CaseIterable {
        /// Payment card numbers: see `CardNumber`.
        case cardNumber = "card_number"
        /// E-mail addresses.
        case email
        /// JSON Web Tokens: `eyJ….eyJ….signature`.
        case jwt
        /// Dotted IPv4 addresses.
        case ipv4
        /// Credentials in the form of an `Authorization` header: `Bearer …`, `Basic …`.
        case authorization
    }
}

extension ScrubRule {
    /// The places it looks at: those written down, or everything it can find something in.
    var effectivePlaces: Set<ScrubPlace> {
        if let places { return places }
        return Set(ScrubPlace.allCases.filter { !selectsByKey || $0.hasAttributes })
    }

    /// Whether it takes attributes by their keys.
    var selectsByKey: Bool { !keys.isEmpty || !keyPatterns.isEmpty }

    var hasPatterns: Bool { !values.isEmpty || !detectors.isEmpty }
}

extension ScrubRule.Detector {
    /// The search as a regular expression; nil for those written by hand.
    var pattern: String? {
        switch self {
        case .cardNumber: nil
        case .email: #"[A-Za-z0-9._%+\-]+@[A-Za-z0-9\-]+(\.[A-Za-z0-9\-]+)*\.[A-Za-z]{2,}"#
        case .jwt: #"\beyJ[A-Za-z0-9_\-]{5,}\.eyJ[A-Za-z0-9_\-]{5,}\.[A-Za-z0-9_\-]*"#
        case .ipv4:
            #"\b((25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\b"#
        case .authorization: #"(?i)\b(bearer|basic|digest|negotiate)\s+[a-z0-9._~+/=\-]{8,}"#
        }
    }
}
