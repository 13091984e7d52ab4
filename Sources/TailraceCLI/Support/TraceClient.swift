import Foundation
import FoundationNetworking
import OTLP
import Pipeline
import Query
import Storage
import TraceModel

/// Where `trace` and `search` ask: a store's files, or a running server.
enum TraceClient {
    case store(TraceStore)
    case server(URL)

    /// `--server` and `--store` as given; without both the store ./data where it exists, else the local server.
    init(store: String?, server: String?) throws {
        if let server {
            guard let url = URL(string: server.contains("://") ? server : "http://" + server), url.host != nil else {
                throw CommandFailure("--server \(server) is no URL; write http://127.0.0.1:16686")
            }
            self = .server(url)
        } else {
            let directory = store ?? "./data"
            if (try? LocalFileSystem().size(directory + "/manifests")) != nil {
                self = .store(Serving.store(directory))
            } else if let store {
                throw CommandFailure("\(store) holds no store; it would have a folder manifests")
            } else if let url = URL(string: "http://127.0.0.1:16686") {
                self = .server(url)
            } else {
                throw CommandFailure("name a store (--store DIR) or a server (--server URL)")
            }
        }
    }

    /// The body of a GET; nil for 404.
    static func get(_ base: URL, _ path: String, _ items: [URLQueryItem] = []) async throws -> Data? {
        var components = URLComponents(url: base, resolvingAgainstBaseURL: false)
        components?.path = path
        components?.queryItems = items.isEmpty ? nil : items
        // A plus is a space in query strings, and URLComponents leaves it as it is.
        let query = components?.percentEncodedQuery?.replacingOccurrences(of: "+", with: "%2B")
        components?.percentEncodedQuery = query
        guard let url = components?.url else { throw CommandFailure("\(base) is no usable URL") }
        do {
            let (data, response) = try await URLSession.shared.data(from: url)
            let status = (response as? HTTPURLResponse)?.statusCode ?? 0
            if status == 404 { return nil }
            guard status == 200 else {
                throw CommandFailure("\(base) answered \(status): \(String(decoding: data.prefix(300), as: UTF8.self))")
            }
            return data
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            throw CommandFailure("\(base) does not answer: \(error.localizedDescription)")
        }
    }
}
