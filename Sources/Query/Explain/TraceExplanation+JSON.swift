import OTLP

extension TraceExplanation {
    /// The API's JSON. Members that are not known are null.
    public func json(pretty: Bool = false) -> [UInt8] {
        var json = JSONWriter(pretty: pretty)
        json.object {
            $0.member("traceID", traceID)
            $0.member("decision", decision.rawValue)
            $0.key("decisions")
            $0.array { for decision in decisions { Self.write(decision, into: &$0) } }
            $0.key("waiting")
            $0.array { for trace in waiting { Self.write(trace, into: &$0) } }
            $0.key("log")
            $0.object {
                $0.optional("earliestUnixMilli", log.earliestUnixMilli)
                $0.optional("latestUnixMilli", log.latestUnixMilli)
                $0.member("decisions", log.decisions)
                $0.member("files", log.files)
            }
            $0.member("askedWorkers", askedWorkers)
            $0.key("problems")
            $0.array { for problem in problems { $0.string(problem) } }
        }
        return json.bytes
    }

    private static func write(_ decision: Decision, into json: inout JSONWriter) {
        json.object {
            $0.member("decision", decision.decision.rawValue)
            $0.key("policy")
            if let policy = decision.policy { $0.string(policy) } else { $0.null() }
            $0.member("policyVersion", decision.policyVersion)
            $0.member("probability", decision.probability)
            if let probability = decision.wholeProbability {
                $0.member("wholeProbability", probability)
            } else {
                $0.key("wholeProbability")
                $0.null()
            }
            $0.member("outline", decision.outline ?? false)
            $0.member("trigger", decision.trigger)
            $0.member("reason", decision.reason)
            $0.member("decidedAtUnixMilli", decision.decidedAtUnixMilli)
            $0.member("sampler", decision.sampler)
            $0.member("spans", decision.spans)
            $0.member("errors", decision.errors)
            $0.member("bytes", decision.bytes)
            $0.member("durationNano", decision.durationNano)
            $0.member("lateSpans", decision.lateSpans)
            $0.member("cluster", decision.cluster)
            $0.member("topic", decision.topic)
            $0.member("partition", decision.partition)
            $0.optional("firstOffset", decision.firstOffset)
            $0.optional("lastOffset", decision.lastOffset)
            $0.optional("epoch", decision.epoch)
            $0.key("segments")
            $0.array { for segment in decision.segments { $0.string(segment) } }
            $0.key("budget")
            if let budget = decision.budget { Self.write(budget, into: &$0) } else { $0.null() }
            $0.key("sampleRate")
            if let rate = decision.sampleRate { Self.write(rate, into: &$0) } else { $0.null() }
            $0.member("source", decision.source)
        }
    }

    private static func write(_ budget: Budget, into json: inout JSONWriter) {
        json.object {
            $0.member("tier", budget.tier)
            $0.optional("rule", budget.rule)
            $0.optional("key", budget.key)
            $0.member("keyHash", budget.keyHash)
            $0.optional("shape", budget.shape)
            $0.member("threshold", budget.threshold)
            $0.member("tick", budget.tick)
            $0.member("share", budget.share)
            $0.member("oversize", budget.oversize)
            $0.member("dryRun", budget.dryRun)
        }
    }

    private static func write(_ rate: SampleRate, into json: inout JSONWriter) {
        json.object {
            $0.optional("policy", rate.policy)
            $0.optional("key", rate.key)
            $0.member("keyHash", rate.keyHash)
            $0.member("rate", rate.rate)
        }
    }

    private static func write(_ trace: Waiting, into json: inout JSONWriter) {
        json.object {
            $0.member("sampler", trace.sampler)
            $0.member("cluster", trace.cluster)
            $0.member("topic", trace.topic)
            $0.member("partition", trace.partition)
            $0.member("spans", trace.spans)
            $0.member("errors", trace.errors)
            $0.member("bytes", trace.bytes)
            $0.member("hasRoot", trace.hasRoot)
            $0.member("firstSeenUnixMilli", trace.firstSeenUnixMilli)
            $0.member("lastSeenUnixMilli", trace.lastSeenUnixMilli)
            $0.member("closesAtUnixMilli", trace.closesAtUnixMilli)
            $0.member("streamTimeUnixMilli", trace.streamTimeUnixMilli)
        }
    }
}

extension JSONWriter {
    fileprivate mutating func optional(_ name: StaticString, _ value: (some FixedWidthInteger)?) {
        key(name)
        if let value { int(value) } else { null() }
    }

    fileprivate mutating func optional(_ name: StaticString, _ value: String?) {
        key(name)
        if let value { string(value) } else { null() }
    }
}
