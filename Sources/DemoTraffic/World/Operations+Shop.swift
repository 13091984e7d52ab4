/// The services customers touch: goods, carts, orders, money.
extension Operation {
    static let shop: [Operation] = catalogue + findings + carts + orders + money

    private static let catalogue: [Operation] = [
        .grpc(
            "catalogue.GetProduct", .catalogue, ms: 1.2, attributes: [.text("app.product.id", "<product>")],
            faults: [(.notFound, 0.6), (.unavailable, 0.5), (.internalError, 0.3)],
            steps: [.call("catalogue.selectProduct")]),
        .grpc(
            "catalogue.ListProducts", .catalogue, ms: 2.5, attributes: [.text("app.category", "<category>")],
            steps: [.call("catalogue.selectCategory"), .call("catalogue.selectPrices")]),
        .grpc(
            "catalogue.UpdatePrice", .catalogue, ms: 2, attributes: [.text("app.product.id", "<product>")],
            steps: [.call("catalogue.updatePrice"), .call("catalogue-changed")]),
        .sql(
            "catalogue.selectProduct", .catalogueDB, "SELECT", "products",
            "SELECT id, name, description, price_cents FROM products WHERE id = '<product>'"),
        .sql(
            "catalogue.selectCategory", .catalogueDB, "SELECT", "products",
            "SELECT id, name, price_cents FROM products WHERE category = $1 ORDER BY rank LIMIT 24", ms: 5, rows: 4...24
        ),
        .sql(
            "catalogue.selectPrices", .catalogueDB, "SELECT", "prices",
            "SELECT product_id, amount, currency FROM prices WHERE product_id = ANY($1)", ms: 3, rows: 4...24),
        .sql(
            "catalogue.updatePrice", .catalogueDB, "UPDATE", "prices",
            "UPDATE prices SET amount = <price> WHERE product_id = '<product>'"),
        .topic("catalogue-changed", consumers: ["search.reindex"]),
    ]

    private static let findings: [Operation] = [
        .grpc(
            "recommendation.List", .recommendation, ms: 4, attributes: [.text("user.id", "<user>")],
            faults: [(.timeout, 1), (.unavailable, 1), (.internalError, 1)], slow: true,
            steps: [
                .call("recommendation.cacheGet"), .call("recommendation.rank", 0.6),
                .concurrently(.call("catalogue.GetProduct", times: 1...3, optional: true)),
            ]),
        .redis("recommendation.cacheGet", .sessionRedis, "GET", "GET rec:<category>:top"),
        .work(
            "recommendation.rank", .recommendation, "rank candidates", ms: 9,
            attributes: [.int("app.candidates", 40...400), .text("app.model", "two-tower-2026-08")],
            faults: [(.internalError, 0.5)]),
        .http(
            "search.Search", .search, "GET", "/v2/search", path: "/v2/search", query: "q=<termencoded>", ms: 3,
            attributes: [.text("app.search.term", "<term>"), .int("app.search.hits", 0...180)],
            faults: [(.internalError, 0.6), (.unavailable, 0.5)],
            steps: [.call("search.query"), .call("search.score", 0.7), .call("catalogue.ListProducts")]),
        Operation(
            id: "search.query", shape: .search(text: Template(#"{"query":{"match":{"name":"<term>"}},"size":24}"#)),
            name: "search products", own: Latency(milliseconds: 11, sigma: 0.6),
            faults: [(.timeout, 1), (.unavailable, 0.4)], canBeSlow: true),
        .work("search.score", .search, "blend scores", ms: 2.4),
        .consumer("search.reindex", .search, topic: "catalogue-changed", ms: 3, steps: [.call("search.query")]),
    ]

    private static let carts: [Operation] = [
        .grpc("cart.GetCart", .cart, ms: 0.9, steps: [.call("cart.hgetall")]),
        .grpc(
            "cart.AddItem", .cart, ms: 1.4,
            attributes: [.text("app.product.id", "<product>"), .int("app.cart.items", 1...9)],
            steps: [.call("cart.hget"), .call("catalogue.GetProduct"), .call("cart.hset"), .call("cart.expire")]),
        .grpc("cart.EmptyCart", .cart, ms: 0.8, steps: [.call("cart.del")]),
        .redis("cart.hgetall", .cartRedis, "HGETALL", "HGETALL cart:<session>"),
        .redis("cart.hget", .cartRedis, "HGET", "HGET cart:<session> <product>"),
        .redis("cart.hset", .cartRedis, "HSET", "HSET cart:<session> <product> <quantity>"),
        .redis("cart.expire", .cartRedis, "EXPIRE", "EXPIRE cart:<session> 86400"),
        .redis("cart.del", .cartRedis, "DEL", "DEL cart:<session>"),
        .grpc(
            "inventory.GetStock", .inventory, ms: 0.7, attributes: [.text("app.product.id", "<product>")],
            steps: [.call("inventory.selectStock")]),
        .grpc(
            "inventory.Reserve", .inventory, ms: 1.1, attributes: [.text("app.order.id", "<order>")],
            faults: [(.outOfStock, 3), (.unavailable, 0.6)],
            steps: [.call("inventory.lockStock"), .call("inventory.insertReservation")]),
        .grpc("inventory.Commit", .inventory, ms: 0.8, steps: [.call("inventory.updateStock")]),
        .sql(
            "inventory.selectStock", .inventoryDB, "SELECT", "stock",
            "SELECT quantity FROM stock WHERE product_id = '<product>'", ms: 1.4),
        .sql(
            "inventory.lockStock", .inventoryDB, "SELECT", "stock",
            "SELECT quantity FROM stock WHERE product_id = ANY($1) FOR UPDATE", ms: 3),
        .sql(
            "inventory.insertReservation", .inventoryDB, "INSERT", "reservations",
            "INSERT INTO reservations (order_id, product_id, quantity) VALUES ($1, $2, $3)"),
        .sql(
            "inventory.updateStock", .inventoryDB, "UPDATE", "stock",
            "UPDATE stock SET quantity = quantity - $2 WHERE product_id = $1", ms: 3),
    ]

    private static let orders: [Operation] = [
        .grpc(
            "checkout.PlaceOrder", .checkout, ms: 5,
            attributes: [
                .text("user.id", "<user>"), .text("app.order.id", "<order>"), .text("app.order.amount", "<amount>"),
                .text("app.order.currency", "<currency>"),
            ],
            steps: [
                .call("checkout.prepare"), .call("inventory.Reserve", retries: 2), .call("payment.Charge"),
                .call("checkout.insertOrder", retries: 1), .call("inventory.Commit"),
                .call("cart.EmptyCart", optional: true), .call("order-placed", retries: 1),
            ]),
        .work(
            "checkout.prepare", .checkout, "prepare order", ms: 1.2,
            attributes: [.int("app.order.items", 1...6)],
            steps: [
                .call("cart.GetCart", retries: 1), .call("catalogue.GetProduct", times: 1...3),
                .concurrently(.call("currency.Convert", times: 1...2), .call("shipping.GetQuote", retries: 1)),
            ]),
        .sql(
            "checkout.insertOrder", .ordersDB, "INSERT", "orders",
            "INSERT INTO orders (id, amount, currency) VALUES ('<order>', <amount>, '<currency>')",
            ms: 4),
        .sql(
            "orders.selectByUser", .ordersDB, "SELECT", "orders",
            "SELECT o.* FROM orders o JOIN users u ON u.id = o.user_id WHERE u.email = '<email>' LIMIT 40",
            ms: 7, rows: 0...40),
        .grpc(
            "checkout.ListOrders", .checkout, ms: 1.6, attributes: [.text("user.id", "<user>")],
            steps: [.call("orders.selectByUser", retries: 1)]),
        .topic("order-placed", consumers: ["shipping.orderPlaced", "email.orderPlaced"]),
        .grpc("currency.Convert", .currency, ms: 0.25, attributes: [.text("app.currency", "<currency>")]),
    ]

    private static let money: [Operation] = [
        .grpc(
            "payment.Charge", .payment, ms: 3,
            attributes: [.text("app.order.id", "<order>"), .text("app.payment.amount", "<amount>")],
            faults: [(.declined, 6), (.unavailable, 0.5), (.internalError, 0.6)],
            steps: [
                .call("payment.validate"), .call("paygate.charge", retries: 2),
                .call("payment.insertCharge", retries: 1),
            ]),
        .work(
            "payment.validate", .payment, "validate card", ms: 0.6,
            events: [
                EventTemplate(
                    name: "log",
                    attributes: [
                        .text("log.severity", "INFO"),
                        .text("log.message", "charging card <card> of <email> with <amount> <currency>"),
                    ])
            ], faults: [(.internalError, 0.3)]),
        .external("paygate.charge", .paygate, "POST", "/v1/charges", ms: 95),
        .external("paygate.refund", .paygate, "POST", "/v1/refunds", ms: 120),
        .sql(
            "payment.insertCharge", .paymentsDB, "INSERT", "charges",
            "INSERT INTO charges (order_id, card_number, amount) VALUES ('<order>', '<card>', <amount>)", ms: 3),
        .sql(
            "payment.insertRefund", .paymentsDB, "INSERT", "refunds",
            "INSERT INTO refunds (order_id, amount) VALUES ('<order>', <amount>)", ms: 3),
        .grpc(
            "payment.Refund", .payment, ms: 2, attributes: [.text("app.order.id", "<order>")],
            steps: [.call("paygate.refund", retries: 2), .call("payment.insertRefund"), .call("refund-issued")]),
        .topic("refund-issued", consumers: ["email.refundIssued"]),
    ]
}
