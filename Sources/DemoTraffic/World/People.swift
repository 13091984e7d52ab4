/// The customers, goods and cards of the shop. All made up: addresses under `example.com`, cards that payment providers
/// publish for tests.
enum People {
    static let userCount = 4_000
    static let productCount = 600

    private static let firstNames = [
        "anna", "ben", "carla", "david", "elena", "finn", "greta", "hugo", "ines", "jonas", "kim", "lea", "marco",
        "nora",
        "oscar", "paula", "quentin", "rosa", "samir", "tara", "ugo", "vera", "walid", "xenia", "yusuf", "zoe",
    ]
    private static let lastNames = [
        "berg", "costa", "dubois", "eriksen", "fischer", "garcia", "haas", "ivanova", "jansen", "kowalski", "lindt",
        "moreau", "novak", "okafor", "petrov", "quinn", "rossi", "silva", "tanaka", "ueda", "vogel", "weber", "yilmaz",
    ]
    private static let passwords = [
        "Sommer2026!", "hunter2", "correct-horse-battery", "Passw0rd!", "qwertz123", "letmein", "iloveCats9",
        "Tr0ub4dor&3",
    ]
    private static let makes = [
        "Aurora", "Bergen", "Cobalt", "Dune", "Ember", "Fjord", "Granite", "Harbour", "Indigo", "Juniper", "Kestrel",
        "Lumen",
    ]
    private static let things = [
        "Backpack", "Kettle", "Lamp", "Jacket", "Headphones", "Notebook", "Tent", "Sneakers", "Mug", "Blanket",
    ]
    private static let kinds = ["Mini", "Classic", "Pro", "Travel", "Wool"]

    static let categories = ["outdoor", "kitchen", "lighting", "clothing", "audio", "office"]

    static let searchTerms = [
        "tent", "kettle", "wool jacket", "headphones", "lamp", "gift", "mug", "backpack 30l", "sneakers 42", "notebook",
        "blanket", "camping", "noise cancelling", "desk lamp", "travel mug", "rain jacket", "birthday", "stove",
        "bottle",
        "socks", "charger", "pillow", "hammock", "thermos", "umbrella", "lantern", "speaker", "pen", "hat", "gloves",
    ]

    static let userAgents = [
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 "
            + "Safari/537.36",
        "Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 "
            + "Safari/605.1.15",
        "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
    ]
    /// What calls the gateway without the instrumented browser page.
    static let directUserAgents = [
        "ShopApp/5.12 (Android 16) okhttp/5.1.0",
        "ShopApp/5.12 (iPhone; iOS 26.0) CFNetwork/3826.600.41 Darwin/25.0.0",
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "shop-partner-client/2.3 python-requests/2.32.5",
    ]

    /// Test numbers of the card brands; all pass the Luhn check.
    static let cards = [
        "4111111111111111", "5555555555554444", "378282246310005", "4012888888881881", "6011111111111117",
        "3530111333300000", "5105105105105100", "371449635398431", "4242424242424242",
    ]

    static let currencies = ["EUR", "USD", "GBP", "SEK", "CHF", "PLN"]

    static func email(_ user: Int) -> String {
        let first = firstNames[user % firstNames.count]
        let last = lastNames[user / firstNames.count % lastNames.count]
        let repeats = user / (firstNames.count * lastNames.count)
        return repeats == 0 ? "\(first).\(last)@example.com" : "\(first).\(last)\(repeats)@example.com"
    }

    static func password(_ user: Int) -> String { passwords[user % passwords.count] }

    static func productName(_ product: Int) -> String {
        let make = makes[product % makes.count]
        let kind = kinds[product / makes.count % kinds.count]
        return "\(make) \(kind) \(things[product / (makes.count * kinds.count) % things.count])"
    }

    static func productID(_ product: Int) -> String { "SKU-\(10_000 + product * 7)" }

    /// Price in cents.
    static func price(_ product: Int) -> Int { 490 + (product * 7919) % 24_000 }

    /// The card number as people and programs write it: bare, or in groups with blanks or hyphens.
    static func written(card: String, style: Int) -> String {
        guard style > 0 else { return card }
        let separator: Character = style == 1 ? " " : "-"
        var text = ""
        for (index, digit) in card.enumerated() {
            let startsGroup = card.count == 15 ? index == 4 || index == 10 : index > 0 && index % 4 == 0
            if startsGroup { text.append(separator) }
            text.append(digit)
        }
        return text
    }

    /// 4711 as "47.11".
    static func decimal(cents: Int) -> String { "\(cents / 100).\(cents % 100 / 10)\(cents % 10)" }
}
