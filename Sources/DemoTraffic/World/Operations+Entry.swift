/// Where requests come in: the gateway's routes and the browser's pages.
extension Operation {
    static let entry: [Operation] = routes + pages

    private static let routes: [Operation] = [
        .http(
            "gateway.listProducts", .gateway, "GET", "/api/products", path: "/api/products",
            query: "category=<category>",
            ms: 1.6,
            steps: [
                .call("catalogue.ListProducts", retries: 1), .call("currency.Convert", 0.6, optional: true),
            ]),
        .http(
            "gateway.getProduct", .gateway, "GET", "/api/products/{id}", path: "/api/products/<product>", ms: 1.5,
            steps: [
                .concurrently(
                    .call("catalogue.GetProduct", retries: 1), .call("inventory.GetStock", optional: true),
                    .call("currency.Convert", 0.5, optional: true))
            ]),
        .http(
            "gateway.recommendations", .gateway, "GET", "/api/recommendations", path: "/api/recommendations",
            query: "context=<product>", ms: 1.2, steps: [.call("recommendation.List", optional: true)]),
        .http(
            "gateway.search", .gateway, "GET", "/api/search", path: "/api/search", query: "q=<termencoded>", ms: 1.4,
            steps: [.call("search.Search", retries: 1)]),
        .http(
            "gateway.getCart", .gateway, "GET", "/api/cart", path: "/api/cart", ms: 1.2,
            attributes: [.text("user.id", "<user>")],
            steps: [.call("auth.ValidateSession"), .call("cart.GetCart", retries: 1)]),
        .http(
            "gateway.addItem", .gateway, "POST", "/api/cart/items", path: "/api/cart/items", ms: 1.6,
            attributes: [.text("user.id", "<user>")],
            steps: [
                .call("auth.ValidateSession"), .call("cart.AddItem", retries: 1),
                .call("inventory.GetStock", 0.5, optional: true),
            ]),
        .http(
            "gateway.checkout", .gateway, "POST", "/api/checkout", path: "/api/checkout", ms: 2.2,
            attributes: [.text("user.id", "<user>"), .text("app.order.id", "<order>")],
            steps: [.call("auth.ValidateSession"), .call("checkout.PlaceOrder")]),
        .http(
            "gateway.login", .gateway, "POST", "/api/login", path: "/api/login", ms: 1.4,
            attributes: [.text("user.email", "<email>"), .text("user.token", "<token>")], steps: [.call("auth.Login")]),
        .http(
            "gateway.register", .gateway, "POST", "/api/register", path: "/api/register", ms: 1.6,
            attributes: [.text("user.email", "<email>")], steps: [.call("auth.Register")]),
        .http(
            "gateway.orders", .gateway, "GET", "/api/orders", path: "/api/orders", query: "email=<emailencoded>",
            ms: 1.5,
            attributes: [.text("user.id", "<user>")],
            steps: [.call("auth.ValidateSession"), .call("checkout.ListOrders")]),
        .http(
            "gateway.return", .gateway, "POST", "/api/orders/{id}/return", path: "/api/orders/<order>/return", ms: 1.8,
            attributes: [.text("user.id", "<user>")],
            steps: [.call("auth.ValidateSession"), .call("shipping.CreateReturn"), .call("payment.Refund")]),
        .http(
            "gateway.export", .gateway, "GET", "/api/account/export", path: "/api/account/export",
            query: "email=<emailencoded>&format=zip", ms: 2, attributes: [.text("user.id", "<user>")],
            steps: [.call("auth.ValidateSession"), .call("auth.ExportAccount")]),
        .http(
            "gateway.updatePrice", .gateway, "PUT", "/admin/products/{id}/price",
            path: "/admin/products/<product>/price",
            ms: 1.5, attributes: [.text("user.id", "u-admin")],
            steps: [.call("auth.ValidateSession"), .call("catalogue.UpdatePrice")]),
        .http("gateway.health", .gateway, "GET", "/healthz", path: "/healthz", ms: 0.3, steps: [.call("session.get")]),
    ]

    private static func page(_ id: String, _ name: String, ms: Double, steps: [Step]) -> Operation {
        .work(
            "page." + id, .storefront, name, ms: ms,
            attributes: [.text("session.id", "<session>"), .text("user_agent.original", "<agent>")],
            faults: [(.internalError, 0.1)], steps: steps)
    }

    private static let pages: [Operation] = [
        page(
            "home", "load /", ms: 22,
            steps: [
                .concurrently(
                    .call("gateway.listProducts", retries: 1), .call("gateway.recommendations", optional: true))
            ]),
        page(
            "product", "load /product/:id", ms: 18,
            steps: [
                .concurrently(
                    .call("gateway.getProduct", retries: 1), .call("gateway.recommendations", 0.8, optional: true))
            ]),
        page("search", "search", ms: 15, steps: [.call("gateway.search", retries: 1)]),
        page(
            "addToCart", "click add-to-cart", ms: 9, steps: [.call("gateway.addItem"), .call("gateway.getCart", 0.3)]),
        page(
            "cart", "load /cart", ms: 14,
            steps: [
                .concurrently(
                    .call("gateway.getCart", retries: 1), .call("gateway.recommendations", 0.5, optional: true))
            ]),
        page("checkout", "click place-order", ms: 16, steps: [.call("gateway.checkout")]),
        page("login", "submit login", ms: 10, steps: [.call("gateway.login")]),
        page("register", "submit register", ms: 12, steps: [.call("gateway.register")]),
        page("orders", "load /account/orders", ms: 14, steps: [.call("gateway.orders", retries: 1)]),
        page("return", "submit return", ms: 14, steps: [.call("gateway.return")]),
        page("export", "click export-account", ms: 14, steps: [.call("gateway.export")]),
        page("price", "submit admin price", ms: 14, steps: [.call("gateway.updatePrice")]),
    ]
}
