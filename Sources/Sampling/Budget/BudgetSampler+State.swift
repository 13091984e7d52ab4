/// The state that survives a restart, a hand-over and a reload.
extension BudgetSampler {
    private static var version: UInt8 { 3 }

    /// Serialised state. Entries that matter most come first; what would exceed `maximumBytes` is left out, and is learned
    /// again.
    package func serialized(maximumBytes: Int = 1 << 20) -> [UInt8] {
        var writer = StateWriter()
        writer.byte(Self.version)
        writer.signed(tick ?? .min)
        writer.double(account.balance)
        writer.double(account.spent)
        writer.double(averageTraceCost)
        writer.double(averageSquaredCost)
        writer.double(averageOffered)
        writer.double(offeredThisTick)
        writer.double(coverageCredit)
        writer.double(borrowed)
        writer.double(owed)
        // Rules are known by name: a reload may add, remove and reorder them.
        writer.varint(UInt64(settings.rules.count))
        for (index, rule) in settings.rules.enumerated() {
            writer.varint(UInt64(rule.name.utf8.count))
            for byte in rule.name.utf8 { writer.byte(byte) }
            writer.double(ruleAccounts[index].balance)
            writer.double(ruleAccounts[index].spent)
        }
        writer.byte(spendingPlan == nil ? 0 : 1)
        spendingPlan?.encode(to: &writer)
        let now = tick ?? 0
        let third = max(1024, maximumBytes) / 3
        // Largest sizes of an entry: key 23, with histogram 215; pair 29; shape 8.
        keys.encode(
            to: &writer, maximumCount: third / 46, maximumSketches: third / 430, tick: now)
        coverage.encode(
            to: &writer, maximumCount: third / 29, window: coverageWindow(now &* settings.tick &+ settings.tick))
        shapes.encode(to: &writer, maximumCount: third / 8)
        return writer.bytes
    }

    /// Takes over a saved state, before the first decision. What cannot be read leaves the sampler as new.
    ///
    /// - Returns: whether the state could be read.
    package mutating func restore(_ bytes: [UInt8]) -> Bool {
        var restored = BudgetSampler(settings: settings)
        restored.rate = rate
        do {
            try restored.read(bytes)
        } catch {
            return false
        }
        self = restored
        return true
    }

    private mutating func read(_ bytes: [UInt8]) throws(StateError) {
        var reader = StateReader(bytes)
        // Version 1 knew neither squares nor plans, version 2 no outlines.
        let version = try reader.byte()
        guard (1...Self.version).contains(version) else { throw StateError.version }
        let savedTick = try reader.signed()
        tick = savedTick == .min ? nil : savedTick
        account.balance = try reader.double()
        account.spent = try reader.double()
        averageTraceCost = try reader.double()
        averageSquaredCost = version == 1 ? averageTraceCost * averageTraceCost : try reader.double()
        averageOffered = try reader.double()
        offeredThisTick = try reader.double()
        coverageCredit = try reader.double()
        // What an earlier version's sampler spent on its first shapes is paid.
        borrowed = version > 2 ? try reader.double() : .greatestFiniteMagnitude
        owed = version > 2 ? try reader.double() : 0
        guard borrowed >= 0, owed >= 0, averageTraceCost >= 0, averageSquaredCost >= 0, averageOffered >= 0,
            offeredThisTick >= 0
        else {
            throw StateError.malformed
        }
        // By place in the saved state: the rule's place now.
        var rules: [Int?] = []
        for _ in 0..<(try reader.count(ofSize: 17)) {
            var name: [UInt8] = []
            for _ in 0..<(try reader.count(ofSize: 1)) { name.append(try reader.byte()) }
            let balance = try reader.double()
            let spent = try reader.double()
            let index = settings.rules.firstIndex { $0.name.utf8.elementsEqual(name) }
            rules.append(index)
            if let index { ruleAccounts[index] = BudgetAccount(balance: balance, spent: spent) }
        }
        if version > 1, try reader.byte() != 0 {
            spendingPlan = try SpendingPlan(
                from: &reader, rules: rules, count: settings.rules.count, hasOutlines: version > 2)
        }
        try keys.decode(from: &reader)
        try coverage.decode(from: &reader)
        try shapes.decode(from: &reader)
        guard reader.left == 0 else { throw StateError.malformed }
    }
}
