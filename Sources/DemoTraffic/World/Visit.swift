import TraceModel

/// What one trace is about: who, what, with which card. Operations' templates read it.
struct Visit: Sendable {
    var user: Int
    /// The product at hand; loops over items change it.
    var product: Int
    var term: Int
    var category: Int
    var quantity: Int
    var browser: Int
    var userAgent: String
    var clientAddress: String
    var session: String
    var order: String
    var token: String
    var card: String
    var currency: String

    init(world: World, isDirect: Bool, random: inout RandomSource) {
        user = world.userChoice.sample(&random)
        product = world.productChoice.sample(&random)
        term = world.termChoice.sample(&random)
        category = random.index(below: People.categories.count)
        quantity = random.int(in: 1...4)
        browser = random.index(below: ServiceID.storefront.instanceCount)
        userAgent = isDirect ? random.element(of: People.directUserAgents) : People.userAgents[browser]
        // Documentation networks (RFC 5737): they belong to nobody.
        let network = random.chance(0.5) ? "203.0.113." : "198.51.100."
        clientAddress = network + String(random.int(in: 1...254))
        session = SpanID(random.next()).hex
        order = "ORD-" + String(2_000_000 + random.index(below: 7_000_000))
        token = "eyJhbGciOiJFUzI1NiJ9." + TraceID(high: random.next(), low: random.next()).hex + "." + session
        card = People.written(card: random.element(of: People.cards), style: random.index(below: 3))
        currency = random.element(of: People.currencies)
    }

    func text(_ field: Field) -> String {
        switch field {
        case .product: People.productID(product)
        case .name: People.productName(product)
        case .category: People.categories[category]
        case .price: People.decimal(cents: People.price(product))
        case .amount: People.decimal(cents: People.price(product) * quantity)
        case .quantity: String(quantity)
        case .term: People.searchTerms[term]
        case .termencoded: encoded(People.searchTerms[term])
        case .user: "u-" + String(100_000 + user * 13)
        case .email: People.email(user)
        case .emailencoded: encoded(People.email(user))
        case .password: People.password(user)
        case .token: token
        case .session: session
        case .order: order
        case .card: card
        case .currency: currency
        case .client: clientAddress
        case .agent: userAgent
        }
    }

    /// Percent-encodes what the shop's texts hold.
    private func encoded(_ text: String) -> String {
        var result = ""
        for character in text {
            switch character {
            case "@": result += "%40"
            case " ": result += "%20"
            default: result.append(character)
            }
        }
        return result
    }
}

/// The parts of a visit that templates can name.
enum Field: String, CaseIterable, Sendable {
    case product, name, category, price, amount, quantity, term, termencoded, user, email, emailencoded, password, token
    case session, order, card, currency, client, agent

    /// Whether the pipeline has to scrub it.
    var isPersonal: Bool {
        switch self {
        case .user, .email, .emailencoded, .password, .token, .card: true
        default: false
        }
    }
}

/// A text with `<field>` in it, filled in per span.
struct Template: Sendable {
    private enum Part: Sendable {
        case text(String)
        case field(Field)
    }

    private var parts: [Part] = []
    private(set) var isPersonal = false
    /// Set where no field occurs, so that all spans share one value.
    private var constant: AttributeValue?

    init(_ source: String) {
        var literal = ""
        var rest = Substring(source)
        while let character = rest.first {
            if character == "<", let close = rest.firstIndex(of: ">"),
                let field = Field(rawValue: String(rest[rest.index(after: rest.startIndex)..<close]))
            {
                if !literal.isEmpty { parts.append(.text(literal)) }
                literal = ""
                parts.append(.field(field))
                isPersonal = isPersonal || field.isPersonal
                rest = rest[rest.index(after: close)...]
            } else {
                literal.append(character)
                rest.removeFirst()
            }
        }
        if !literal.isEmpty { parts.append(.text(literal)) }
        if !parts.contains(where: { if case .field = $0 { true } else { false } }) { constant = .string(source) }
    }

    func value(for visit: Visit) -> AttributeValue {
        if let constant { return constant }
        return .string(text(for: visit))
    }

    func text(for visit: Visit) -> String {
        if parts.count == 1, case .field(let field) = parts[0] { return visit.text(field) }
        var text = ""
        for part in parts {
            switch part {
            case .text(let literal): text += literal
            case .field(let field): text += visit.text(field)
            }
        }
        return text
    }
}

/// An attribute whose value depends on the visit or on chance.
struct AttributeTemplate: Sendable {
    enum Value: Sendable {
        case text(Template)
        case int(ClosedRange<Int>)
    }

    var key: String
    var value: Value

    static func text(_ key: String, _ template: String) -> AttributeTemplate {
        AttributeTemplate(key: key, value: .text(Template(template)))
    }

    static func int(_ key: String, _ range: ClosedRange<Int>) -> AttributeTemplate {
        AttributeTemplate(key: key, value: .int(range))
    }
}
