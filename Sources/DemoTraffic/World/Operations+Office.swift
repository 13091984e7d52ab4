/// The services behind the shop: accounts, dispatch, mail, reports.
extension Operation {
    static let office: [Operation] = accounts + dispatch + jobs

    private static let accounts: [Operation] = [
        .grpc(
            "auth.Login", .auth, ms: 1.5,
            attributes: [
                .text("user.email", "<email>"), .text("user.password", "<password>"), .text("user.token", "<token>"),
            ],
            faults: [(.unauthorized, 5), (.internalError, 0.4), (.unavailable, 0.3)],
            steps: [
                .call("users.selectByEmail"), .call("auth.verify"), .call("session.set"),
                .call("users.updateLastLogin", 0.9, optional: true),
            ]),
        .grpc(
            "auth.ValidateSession", .auth, ms: 0.4, attributes: [.text("user.id", "<user>")],
            faults: [(.unauthorized, 1), (.unavailable, 0.4)], steps: [.call("session.get")]),
        .grpc(
            "auth.Register", .auth, ms: 2,
            attributes: [
                .text("user.email", "<email>"), .text("user.password", "<password>"), .text("user.id", "<user>"),
            ],
            steps: [.call("auth.hash"), .call("users.insert"), .call("session.set"), .call("user-registered")]),
        .grpc(
            "auth.ExportAccount", .auth, ms: 6,
            attributes: [.text("user.id", "<user>"), .text("user.email", "<email>")],
            steps: [.call("users.selectByEmail"), .call("orders.selectByUser"), .call("auth.pack")]),
        .work("auth.verify", .auth, "verify password", ms: 62, attributes: [.text("app.hash", "argon2id")]),
        .work("auth.hash", .auth, "hash password", ms: 64, attributes: [.text("app.hash", "argon2id")]),
        .work("auth.pack", .auth, "pack archive", ms: 180, faults: [(.internalError, 0.5)]),
        .sql(
            "users.selectByEmail", .usersDB, "SELECT", "users",
            "SELECT id, password_hash FROM users WHERE email = '<email>'"),
        .sql("users.updateLastLogin", .usersDB, "UPDATE", "users", "UPDATE users SET last_login = now() WHERE id = $1"),
        .sql(
            "users.insert", .usersDB, "INSERT", "users", "INSERT INTO users (email, password_hash) VALUES ($1, $2)",
            ms: 3),
        .redis("session.get", .sessionRedis, "GET", "GET session:<session>"),
        .redis("session.set", .sessionRedis, "SETEX", "SETEX session:<session> 3600 ?"),
        .topic("user-registered", consumers: ["email.userRegistered"]),
    ]

    private static let dispatch: [Operation] = [
        .grpc(
            "shipping.GetQuote", .shipping, ms: 2, slow: true,
            steps: [.call("shipping.selectZones", 0.5), .call("carrier.rates", 0.6, retries: 1, optional: true)]),
        .grpc(
            "shipping.CreateReturn", .shipping, ms: 3, attributes: [.text("app.order.id", "<order>")],
            steps: [.call("carrier.label", retries: 1), .call("shipping.insertReturn")]),
        .consumer(
            "shipping.orderPlaced", .shipping, topic: "order-placed", ms: 3,
            steps: [
                .call("shipping.insertShipment", retries: 1), .call("carrier.label", retries: 2),
                .call("shipment-created"),
            ]),
        .sql(
            "shipping.selectZones", .ordersDB, "SELECT", "zones", "SELECT zone, price FROM zones WHERE country = $1",
            rows: 1...6),
        .sql(
            "shipping.insertShipment", .ordersDB, "INSERT", "shipments",
            "INSERT INTO shipments (order_id, carrier) VALUES ('<order>', 'northpost')", ms: 3),
        .sql(
            "shipping.insertReturn", .ordersDB, "INSERT", "returns", "INSERT INTO returns (order_id) VALUES ('<order>')"
        ),
        .external("carrier.rates", .carrier, "GET", "/v3/rates", ms: 48),
        .external("carrier.label", .carrier, "POST", "/v3/labels", ms: 110),
        .topic("shipment-created", consumers: ["email.shipmentCreated"]),
        .consumer(
            "email.orderPlaced", .email, topic: "order-placed", ms: 2,
            steps: [.call("email.render"), .call("mailer.send", retries: 2)]),
        .consumer(
            "email.shipmentCreated", .email, topic: "shipment-created", ms: 2,
            steps: [.call("email.render"), .call("mailer.send", retries: 2)]),
        .consumer(
            "email.refundIssued", .email, topic: "refund-issued", ms: 2,
            steps: [.call("email.render"), .call("mailer.send", retries: 1)]),
        .consumer(
            "email.userRegistered", .email, topic: "user-registered", ms: 2,
            steps: [.call("email.render"), .call("mailer.send", retries: 1)]),
        .work(
            "email.render", .email, "render template", ms: 6,
            attributes: [.text("user.email", "<email>"), .int("app.mail.bytes", 8_000...40_000)],
            faults: [(.internalError, 0.6)]),
        .external("mailer.send", .mailer, "POST", "/v2/messages", ms: 70),
    ]

    private static let jobs: [Operation] = [
        .work(
            "reporting.daily", .reporting, "report sales-daily", ms: 900,
            attributes: [.text("app.report", "sales-daily"), .int("app.report.rows", 2_000...90_000)],
            faults: [(.internalError, 1)],
            steps: [
                .call("reporting.selectTotals"), .call("reporting.page", times: 40...120, bulk: true),
                .call("currency.Convert", times: 4...12), .call("reporting.insertReport"),
            ]),
        .work(
            "reporting.page", .reporting, "aggregate page", ms: 4,
            steps: [.call("reporting.selectPage"), .call("catalogue.GetProduct", 0.5, retries: 1)]),
        .sql(
            "reporting.selectTotals", .ordersDB, "SELECT", "orders",
            "SELECT date_trunc('day', placed_at), sum(amount) FROM orders GROUP BY 1", ms: 240, rows: 30...365,
            slow: false),
        .sql(
            "reporting.selectPage", .ordersDB, "SELECT", "orders",
            "SELECT * FROM orders WHERE id > $1 ORDER BY id LIMIT 1000", ms: 8, rows: 1000...1000, slow: false),
        .sql(
            "reporting.insertReport", .ordersDB, "INSERT", "reports", "INSERT INTO reports (day, body) VALUES ($1, $2)",
            ms: 12, slow: false),
        Operation(
            id: "accounting.batch", owner: .accounting, shape: .batchConsumer(topic: "order-placed"),
            name: "poll order-placed", own: Latency(milliseconds: 6), faults: [(.internalError, 0.5)],
            steps: [.perMessage("accounting.book"), .call("accounting.commit", retries: 1)]),
        .work(
            "accounting.book", .accounting, "book order", ms: 1.2,
            steps: [.call("currency.Convert", 0.5), .call("accounting.insertLedger")]),
        .sql(
            "accounting.insertLedger", .ordersDB, "INSERT", "ledger",
            "INSERT INTO ledger (order_id, amount, currency) VALUES ($1, $2, $3)"),
        .sql("accounting.commit", .ordersDB, "UPDATE", "ledger_offsets", "UPDATE ledger_offsets SET position = $1"),
        .work(
            "inventory.stocktake", .inventory, "stocktake warehouse", ms: 30,
            attributes: [.text("app.warehouse", "HAM-2")], faults: [(.internalError, 1)],
            steps: [.call("inventory.selectStock", times: 10...40, bulk: true), .call("inventory.updateStock")]),
    ]
}
