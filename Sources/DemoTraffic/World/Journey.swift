/// A reason for a trace to begin.
struct Journey: Sendable {
    /// The operation in the browser, or the job.
    var root: String
    /// The gateway's operation where an app, a partner or a robot calls without the instrumented page.
    var direct: String?
    /// The share of such callers.
    var directShare = 0.3
    var weight: Double

    /// The weights fall about as Zipf's law has it, down to operations seen once in some thousand traces.
    static let all: [Journey] = [
        Journey(root: "page.product", direct: "gateway.getProduct", weight: 1000),
        Journey(root: "page.home", direct: "gateway.listProducts", weight: 560),
        Journey(root: "page.search", direct: "gateway.search", weight: 400),
        Journey(root: "page.addToCart", direct: "gateway.addItem", weight: 290),
        Journey(root: "page.cart", direct: "gateway.getCart", weight: 230),
        Journey(root: "page.login", direct: "gateway.login", weight: 150),
        Journey(root: "page.checkout", direct: "gateway.checkout", weight: 130),
        Journey(root: "gateway.health", direct: nil, weight: 90),
        Journey(root: "page.orders", direct: "gateway.orders", weight: 60),
        Journey(root: "accounting.batch", direct: nil, weight: 22),
        Journey(root: "page.register", direct: "gateway.register", weight: 18),
        Journey(root: "page.return", direct: "gateway.return", weight: 7),
        Journey(root: "reporting.daily", direct: nil, weight: 1.5),
        Journey(root: "page.price", direct: "gateway.updatePrice", directShare: 0.6, weight: 1.5),
        Journey(root: "page.export", direct: "gateway.export", weight: 1),
        Journey(root: "inventory.stocktake", direct: nil, weight: 0.6),
    ]
}
