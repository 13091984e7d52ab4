/// The shop's services.
enum ServiceID: Int, CaseIterable, Sendable {
    case storefront, gateway, cart, checkout, payment, catalogue, recommendation, search, inventory, shipping, email
    case auth, currency, reporting, accounting

    var name: String {
        switch self {
        case .storefront: "storefront-web"
        case .gateway: "api-gateway"
        case .cart: "cart"
        case .checkout: "checkout"
        case .payment: "payment"
        case .catalogue: "catalogue"
        case .recommendation: "recommendation"
        case .search: "search"
        case .inventory: "inventory"
        case .shipping: "shipping"
        case .email: "email"
        case .auth: "auth"
        case .currency: "currency"
        case .reporting: "reporting"
        case .accounting: "accounting"
        }
    }

    var language: Language {
        switch self {
        case .storefront: .webjs
        case .gateway, .checkout, .catalogue: .go
        case .cart, .accounting: .dotnet
        case .payment: .nodejs
        case .recommendation, .reporting: .python
        case .search, .shipping: .java
        case .inventory: .rust
        case .email: .ruby
        case .auth: .swift
        case .currency: .cpp
        }
    }

    var version: String {
        switch self {
        case .storefront: "2026.9.3"
        case .gateway: "3.14.0"
        case .cart: "1.8.2"
        case .checkout: "2.21.5"
        case .payment: "4.2.0"
        case .catalogue: "1.31.0"
        case .recommendation: "0.19.4"
        case .search: "2.7.1"
        case .inventory: "0.9.12"
        case .shipping: "1.15.3"
        case .email: "1.4.0"
        case .auth: "1.2.6"
        case .currency: "1.0.9"
        case .reporting: "0.6.1"
        case .accounting: "1.1.7"
        }
    }

    var instanceCount: Int {
        switch self {
        case .storefront, .gateway, .checkout, .catalogue, .cart: 3
        default: 2
        }
    }

    /// The port its server listens on.
    var port: Int { self == .gateway ? 443 : 8080 + rawValue }
}

/// What services use besides each other.
enum Store: Int, CaseIterable, Sendable {
    case catalogueDB, ordersDB, paymentsDB, inventoryDB, usersDB, cartRedis, sessionRedis, searchIndex
    case paygate, mailer, carrier, broker

    var address: String {
        switch self {
        case .catalogueDB: "pg-catalogue.shop.internal"
        case .ordersDB: "pg-orders.shop.internal"
        case .paymentsDB: "pg-payments.shop.internal"
        case .inventoryDB: "pg-inventory.shop.internal"
        case .usersDB: "pg-users.shop.internal"
        case .cartRedis: "redis-cart.shop.internal"
        case .sessionRedis: "redis-session.shop.internal"
        case .searchIndex: "search-index.shop.internal"
        case .paygate: "api.paygate.example"
        case .mailer: "smtp-api.mailer.example"
        case .carrier: "rates.carrier.example"
        case .broker: "kafka.shop.internal"
        }
    }

    var port: Int {
        switch self {
        case .catalogueDB, .ordersDB, .paymentsDB, .inventoryDB, .usersDB: 5432
        case .cartRedis, .sessionRedis: 6379
        case .searchIndex: 9200
        case .paygate, .mailer, .carrier: 443
        case .broker: 9092
        }
    }

    /// `db.namespace`.
    var namespace: String {
        switch self {
        case .catalogueDB: "catalogue"
        case .ordersDB: "orders"
        case .paymentsDB: "payments"
        case .inventoryDB: "inventory"
        case .usersDB: "users"
        default: "0"
        }
    }
}

/// What can become slow as a whole.
enum Dependency: Sendable, Hashable {
    case store(Store)
    case service(ServiceID)

    /// What incidents choose from.
    static let prone: [Dependency] = [
        .store(.catalogueDB), .store(.ordersDB), .store(.paymentsDB), .store(.inventoryDB), .store(.usersDB),
        .store(.cartRedis), .store(.searchIndex), .store(.paygate), .store(.carrier), .store(.mailer),
        .service(.recommendation), .service(.currency), .service(.inventory),
    ]
}
