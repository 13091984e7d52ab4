import Pipeline

extension PolicyList {
    private static let stateVersion: UInt64 = 1

    /// What stateful policies remember, by their place in the list; empty where there are none.
    var state: [UInt8] {
        let stateful = nodes.filter { $0.policy is any StatefulPolicy }
        if stateful.isEmpty { return [] }
        var encoder = StateEncoder()
        encoder.number(Self.stateVersion)
        encoder.number(UInt64(stateful.count))
        for node in stateful {
            guard let policy = node.policy as? any StatefulPolicy else { continue }
            var own = StateEncoder()
            policy.encodeState(into: &own)
            encoder.text(Self.stateKey(node))
            encoder.blob(own.bytes)
        }
        return encoder.bytes
    }

    /// Takes over the state of policies that still stand where they stood, with the same type. What cannot be read is left.
    func restore(_ bytes: [UInt8]) {
        var decoder = StateDecoder(bytes)
        guard decoder.number() == Self.stateVersion, let count = decoder.count(ofSize: 2) else { return }
        var states: [String: [UInt8]] = [:]
        for _ in 0..<count {
            guard let key = decoder.text(), let state = decoder.blob() else { break }
            states[key] = state
        }
        for node in nodes {
            guard let policy = node.policy as? any StatefulPolicy, let state = states[Self.stateKey(node)] else {
                continue
            }
            var own = StateDecoder(state)
            policy.restoreState(from: &own)
        }
    }

    private static func stateKey(_ node: PolicyNode) -> String {
        ([String(describing: type(of: node.policy))] + node.path).joined(separator: "\u{0}")
    }
}
