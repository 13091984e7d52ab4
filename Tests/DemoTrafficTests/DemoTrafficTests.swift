import DemoTraffic
import Testing
import TraceModel

/// Records of whole traces, with what the tests ask about them.
private struct Sample {
    var traffic: DemoTraffic
    var records: [DemoRecord] = []
    var spans: [TraceID: [Span]] = [:]

    init(traces: Int, _ change: (inout DemoTrafficConfiguration) -> Void = { _ in }) {
        var configuration = Sample.configuration
        change(&configuration)
        traffic = DemoTraffic(configuration)
        while let record = traffic.next(ofFirst: traces) {
            records.append(record)
            for span in record.spans { spans[record.traceID, default: []].append(span) }
        }
    }

    static let configuration = DemoTrafficConfiguration(seed: 7, startTime: 1_767_225_600_000_000_000)

    /// The usual traffic, made once for all tests that only look at it.
    static let usual = Sample(traces: 15_000)

    /// Every string anywhere in a span's attributes and events.
    var texts: [String] {
        records.flatMap(\.spans).flatMap { span in
            (span.attributes + span.events.flatMap(\.attributes)).compactMap { attribute in
                if case .string(let text) = attribute.value { text } else { nil }
            }
        }
    }
}

extension DemoRecord {
    fileprivate var spans: [Span] { resourceSpans.flatMap(\.scopeSpans).flatMap(\.spans) }
}

@Suite struct DemoTrafficTests {
    @Test func theSameSeedGivesTheSameRecords() {
        var first = DemoTraffic(Sample.configuration)
        var second = DemoTraffic(Sample.configuration)
        for _ in 0..<2_000 { #expect(first.next() == second.next()) }
        #expect(first.groundTruth == second.groundTruth)
    }

    @Test func anotherSeedGivesOtherRecords() {
        var other = Sample.configuration
        other.seed += 1
        var first = DemoTraffic(Sample.configuration)
        var second = DemoTraffic(other)
        #expect(first.next() != second.next())
    }

    @Test func everyRecordHoldsOneTraceOfOneInstance() {
        for record in Sample.usual.records {
            #expect(record.resourceSpans.count == 1)
            #expect(!record.spans.isEmpty)
            #expect(record.spans.allSatisfy { $0.traceID == record.traceID })
            #expect(record.resourceSpans[0].resource.attributes["service.instance.id"] != nil)
        }
    }

    @Test func recordsLeaveInTheOrderOfTheirEmitTimes() {
        let times = Sample(traces: 3_000) { $0.lateRate = 0.05 }.records.map(\.emitTime)
        #expect(zip(times, times.dropFirst()).allSatisfy { $0 <= $1 })
    }

    @Test func nothingIsSentBeforeItEnds() {
        let sample = Sample(traces: 1_000) { $0.clockSkew = false }
        #expect(sample.records.allSatisfy { record in record.spans.allSatisfy { $0.endTime <= record.emitTime } })
    }

    @Test(arguments: [0, 1, 5] as [Double])
    func anExportWaitsNoLongerThanTheBatchDelay(_ delay: Double) {
        let sample = Sample(traces: 1_000) {
            $0.clockSkew = false
            $0.lateRate = 0
            $0.batchDelay = delay
        }
        let longest = UInt64((delay + 0.01) * 1e9)
        for record in sample.records {
            // Without a delay there is one export per instance, when its last span has ended.
            let ends = record.spans.map(\.endTime)
            #expect(record.emitTime <= (delay == 0 ? ends.max()! : ends.min()!) + longest)
        }
    }

    @Test func spanIDsAreUniqueAndEachTraceHasOneRoot() {
        for spans in Sample.usual.spans.values {
            #expect(Set(spans.map(\.spanID)).count == spans.count)
            #expect(spans.count { $0.parentSpanID.isZero } == 1)
        }
    }

    @Test func parentsExistExceptThoseLostOnPurpose() {
        let sample = Sample(traces: 5_000) { $0.orphanRate = 0.01 }
        var orphans = 0
        for spans in sample.spans.values {
            let ids = Set(spans.map(\.spanID))
            orphans += spans.count { !$0.parentSpanID.isZero && !ids.contains($0.parentSpanID) }
        }
        #expect(orphans > 0)
        #expect(orphans == sample.traffic.groundTruth.orphanSpans)
    }

    @Test func childrenLieInsideTheirParentsUnlessTheyConsumeMessages() {
        let sample = Sample(traces: 5_000) {
            $0.clockSkew = false
            $0.errorRate = 0.1
        }
        for spans in sample.spans.values {
            let byID = Dictionary(uniqueKeysWithValues: spans.map { ($0.spanID, $0) })
            for span in spans {
                #expect(span.startTime <= span.endTime)
                #expect(span.events.allSatisfy { $0.time >= span.startTime && $0.time <= span.endTime })
                guard let parent = byID[span.parentSpanID] else { continue }
                if span.kind == .consumer {
                    #expect(parent.kind == .producer && span.startTime >= parent.endTime)
                    #expect(span.links.map(\.spanID) == [parent.spanID])
                } else {
                    #expect(span.startTime >= parent.startTime && span.endTime <= parent.endTime)
                }
            }
        }
    }

    @Test(arguments: [0.01, 0.05, 0.3])
    func theShareOfTracesWithErrorsIsAsConfigured(_ rate: Double) {
        let sample = Sample(traces: 5_000) { $0.errorRate = rate }
        let errors = sample.spans.values.count { spans in spans.contains { $0.status.code == .error } }
        #expect(errors == sample.traffic.groundTruth.errorTraces)
        // Four standard deviations of a fair draw.
        let tolerance = 4 * (5_000 * rate * (1 - rate)).squareRoot()
        #expect(abs(Double(errors) - 5_000 * rate) < tolerance)
    }

    @Test func withoutErrorsAndSlownessAlmostAllIsFast() {
        let sample = Sample(traces: 5_000) {
            $0.errorRate = 0
            $0.slowRate = 0
            $0.incidents = false
        }
        #expect(sample.traffic.groundTruth.errorTraces == 0)
        #expect(sample.traffic.groundTruth.slowTraces < 15)
    }

    @Test func theShareOfSlowTracesIsAtLeastAsConfigured() {
        let truth = Sample(traces: 10_000) { $0.slowRate = 0.05 }.traffic.groundTruth
        #expect((430...800).contains(truth.slowTraces))
    }

    @Test func everyServiceAppears() {
        let names = Set(Sample.usual.records.compactMap { $0.resourceSpans[0].resource.serviceName })
        #expect(names == Set(DemoTraffic.services))
        #expect(DemoTraffic.services.count >= 12)
    }

    @Test func everyOperationAppearsInTimeAndSomeAreRare() {
        var counts: [String: Int] = [:]
        for spans in Sample.usual.spans.values {
            for root in spans where root.parentSpanID.isZero { counts[root.name, default: 0] += 1 }
        }
        #expect(counts.values.contains { $0 > 3_000 })
        #expect(counts.count >= 22)
        #expect((1..<40).contains(counts["report sales-daily"] ?? 0))
    }

    @Test func checkoutTracesAreLargeAndReportsAreHuge() {
        let traces = Sample.usual.spans.values
        func sizes(_ root: String) -> [Int] {
            traces.filter { spans in spans.contains { $0.name == root && $0.parentSpanID.isZero } }.map(\.count)
        }
        let checkouts = sizes("click place-order").sorted()
        #expect((30...70).contains(checkouts[checkouts.count / 2]))
        #expect(sizes("report sales-daily").contains { $0 > 200 })
    }

    @Test func personalDataIsThere() {
        let sample = Sample.usual
        let keys = Set(sample.spans.values.joined().flatMap { $0.attributes.map(\.key) })
        #expect(keys.isSuperset(of: ["user.id", "user.email", "user.password", "user.token"]))
        #expect(sample.texts.contains { $0.hasPrefix("https://") && $0.contains("%40example.com") })
        #expect(sample.traffic.groundTruth.piiSpans > 500)
        let names = Set(sample.spans.values.joined().map(\.name))
        #expect(names.allSatisfy { !$0.contains("@") && !$0.contains("ORD-") && !$0.contains("SKU-") })
    }

    @Test func cardNumbersPassTheLuhnCheck() {
        let statements = Sample.usual.texts.filter { $0.hasPrefix("INSERT INTO charges") }
        #expect(statements.count > 100)
        for statement in statements {
            let card = statement.split(separator: "'").first { $0.count { $0.isNumber } >= 15 }
            #expect(card.map { passesLuhn($0) } == true, "\(statement)")
        }
    }

    @Test(arguments: [true, false])
    func theRateOverSimulatedTimeIsAsConfigured(_ bursts: Bool) {
        let traces = 12_000
        let sample = Sample(traces: traces) {
            $0.tracesPerSecond = 20
            $0.bursts = bursts
            $0.clockSkew = false
            $0.lateRate = 0
        }
        let starts = sample.spans.values.compactMap { $0.map(\.startTime).min() }
        let seconds = Double(starts.max()! - Sample.configuration.startTime) / 1e9
        #expect(abs(Double(traces) / seconds - 20) < 1)
        // With bursts some five seconds hold at least twice the mean; without, none does.
        let slots = Dictionary(grouping: starts) { ($0 - Sample.configuration.startTime) / 5_000_000_000 }
        #expect((slots.values.map(\.count).max()! > 200) == bursts)
    }

    @Test func lateSpansArriveSecondsAfterTheRest() {
        let sample = Sample(traces: 2_000) { $0.lateRate = 1 }
        var late = 0
        for records in Dictionary(grouping: sample.records, by: \.traceID).values where records.count > 1 {
            let sorted = records.sorted { $0.emitTime < $1.emitTime }
            if sorted[sorted.count - 1].emitTime - sorted[sorted.count - 2].emitTime > 3_000_000_000 { late += 1 }
        }
        #expect(late > 1_800)
        #expect(sample.traffic.groundTruth.lateSpans >= late)
    }

    @Test func retriesAreSiblingsThatCountUp() {
        let sample = Sample(traces: 3_000) { $0.errorRate = 1 }
        let resent = sample.spans.values.joined().filter { $0.attributes["http.request.resend_count"] != nil }
        #expect(!resent.isEmpty)
        for span in resent.prefix(50) {
            let siblings = sample.spans[span.traceID]!.filter { $0.parentSpanID == span.parentSpanID }
            #expect(siblings.contains { $0.status.code == .error && $0.endTime <= span.startTime })
        }
    }

    @Test func batchConsumersLinkToOtherTraces() {
        let sample = Sample.usual
        let polls = sample.spans.values.joined().filter { $0.name == "poll order-placed" }
        let links = polls.flatMap(\.links)
        #expect(links.count > 20)
        #expect(links.allSatisfy { sample.spans[$0.traceID]?.contains { $0.name == "send order-placed" } == true })
    }

    @Test func clockSkewMovesSpansOfSomeInstancesOnly() {
        let straight = Sample(traces: 500) { $0.clockSkew = false }
        let skewed = Sample(traces: 500)
        var offsets: [AttributeValue: Set<Int64>] = [:]
        let starts = Dictionary(uniqueKeysWithValues: straight.spans.values.joined().map { ($0.spanID, $0.startTime) })
        for record in skewed.records {
            let instance = record.resourceSpans[0].resource.attributes["service.instance.id"]!
            for span in record.spans {
                offsets[instance, default: []].insert(Int64(span.startTime) - Int64(starts[span.spanID]!))
            }
        }
        #expect(offsets.values.allSatisfy { $0.count == 1 })
        #expect(offsets.values.contains { $0.first!.magnitude > 500_000_000 })
        #expect(offsets.values.count { $0.first!.magnitude < 1_000_000 } > offsets.count / 2)
    }

    @Test func bulkinessMakesJobsBigger() {
        let usual = Sample.usual.spans.values.map(\.count).max()!
        let bulky = Sample(traces: 5_000) { $0.bulkiness = 5 }.spans.values.map(\.count).max()!
        #expect(bulky > 2 * usual)
    }

    @Test func theFirstTracesAreCountedExactly() {
        let sample = Sample(traces: 1_234)
        #expect(sample.spans.count == 1_234)
        #expect(sample.traffic.traces == 1_234)
        #expect(sample.traffic.spans == sample.spans.values.reduce(0) { $0 + $1.count })
        #expect(sample.traffic.groundTruth.spans == sample.traffic.spans)
    }
}

/// The check-digit rule of payment cards, over the digits of `text`.
private func passesLuhn(_ text: some StringProtocol) -> Bool {
    let digits = text.compactMap(\.wholeNumberValue)
    let sum = digits.reversed().enumerated().reduce(0) { sum, digit in
        let doubled = digit.element * (digit.offset % 2 == 1 ? 2 : 1)
        return sum + (doubled > 9 ? doubled - 9 : doubled)
    }
    return digits.count >= 13 && sum % 10 == 0
}
