import Pipeline
import Testing
import TraceModel

@testable import Query

struct TraceViewTests {
    private func names(_ spans: [Span]) -> [String] {
        TraceView([resourceSpans("s", spans)]).nodes.map { "\($0.depth):\($0.span.name)" }
    }

    @Test func childrenFollowTheirParentInOrderOfStart() {
        let view = TraceView([
            resourceSpans("a", [span(1, 3, parent: 1, name: "late", start: 50), span(1, 1, name: "root", end: 100)]),
            resourceSpans(
                "b", [span(1, 2, parent: 1, name: "early", start: 10), span(1, 4, parent: 2, name: "leaf", start: 11)]),
        ])
        #expect(view.nodes.map { "\($0.depth):\($0.span.name)" } == ["0:root", "1:early", "2:leaf", "1:late"])
        #expect(view.nodes.map(\.parent) == [nil, 0, 1, 0])
        #expect(view.nodes.map(\.descendantCount) == [3, 1, 0, 0])
        #expect(view.nodes.map(\.childCount) == [2, 1, 0, 0])
        #expect(view.nodes.map(\.isLast) == [true, false, true, true])
        #expect(view.depth == 3)
        #expect(view.duration == 100)
    }

    @Test func orphansBecomeRootsAndAreCounted() {
        let view = TraceView([
            resourceSpans("s", [span(1, 1, name: "root"), span(1, 2, parent: 99, name: "orphan", start: 1)])
        ])
        #expect(view.nodes.map(\.depth) == [0, 0])
        #expect(view.orphanCount == 1)
        #expect(view.nodes[1].isOrphan)
    }

    @Test func cyclesAreCutAndNothingIsLost() {
        #expect(
            names([span(1, 1, parent: 2, name: "a", start: 1), span(1, 2, parent: 1, name: "b")]) == ["0:b", "1:a"])
        #expect(names([span(1, 1, parent: 1, name: "self")]) == ["0:self"])
    }

    @Test func aServerSpanThatSharesItsClientsIDIsItsChild() {
        let spans = [
            span(1, 1, name: "root"), span(1, 2, parent: 1, name: "server", kind: .server, start: 2),
            span(1, 2, parent: 1, name: "client", kind: .client, start: 1),
            span(1, 3, parent: 2, name: "inner", start: 3),
        ]
        #expect(names(spans) == ["0:root", "1:client", "2:server", "3:inner"])
    }

    @Test func aVeryLongChainIsNoProblem() {
        let spans = (1...30_000).map { span(1, UInt64($0), parent: UInt64($0) - 1, start: UInt64($0)) }
        #expect(TraceView([resourceSpans("s", spans)]).depth == 30_000)
    }

    @Test func noSpansGiveAnEmptyView() {
        let view = TraceView([])
        #expect(view.nodes.isEmpty)
        #expect(view.duration == 0)
    }
}

struct TextTests {
    private func trace(_ resourceSpans: [ResourceSpans]) -> StoredTrace {
        StoredTrace(
            traceID: id(1), resourceSpans: resourceSpans,
            decision: Decision(
                isKept: true, policy: "errors", probability: 1, policyVersion: 1, trigger: .root, decidedAt: 0,
                reason: "a span has status ERROR"),
            spanCount: 1, lateRowCount: 0, unreadableSegments: [])
    }

    @Test func aTraceIsDrawnAsAGanttChart() {
        let start: UInt64 = 1_700_000_000_000_000_000
        let text = GanttRenderer(width: 80).render(
            trace([
                resourceSpans("front", [span(1, 1, name: "GET /", start: start, end: start + 1_000_000_000)]),
                resourceSpans(
                    "cart",
                    [
                        span(
                            1, 2, parent: 1, name: "load", start: start + 500_000_000, end: start + 1_000_000_000,
                            isError: true)
                    ]),
            ]))
        let expected = """
            Trace 9e3779b97f4a7c150000000000000001  front: GET /
            2023-11-14 22:13:20.000 UTC · 1s · 2 spans · 2 services · 2 levels · 1 error
            cart 1, front 1
            Kept by policy errors, p=1, a span has status ERROR

                                              0                   500ms                  1s
            front GET /                  1s  │█████████████████████████████████████████████│
            └─cart load          !    500ms  │                      ███████████████████████│

            """
        #expect(text == expected)
    }

    @Test("a trace kept in outline is shown as one")
    func outline() {
        var root = span(1, 1, name: "GET /", start: 1_000_000_000, end: 2_000_000_000)
        root.attributes.append(Attribute("tailrace.left_out_spans", .int(39)))
        let trace = trace([resourceSpans("front", [root])])
        #expect(trace.leftOutSpanCount == 39)
        #expect(GanttRenderer(width: 80).render(trace).contains("outline: 1 of 40 spans"))
    }

    @Test(arguments: [60, 80, 120, 200]) func noLineIsWiderThanTheTerminal(width: Int) {
        let spans = (1...40).map {
            span(
                1, UInt64($0), parent: UInt64($0) - 1, name: "日本語 and a very long operation name \($0)",
                start: UInt64($0), end: 100)
        }
        let text = GanttRenderer(width: width).render(trace([resourceSpans("service", spans)]))
        for line in text.split(separator: "\n").dropFirst(5) {
            #expect(TerminalText.width(String(line)) <= width, "\(line)")
        }
    }

    @Test func escapeSequencesInNamesAreNotObeyed() {
        let text = GanttRenderer(usesColour: false).render(
            trace([resourceSpans("evil\u{1B}]0;title\u{7}", [span(1, 1, name: "a\nb\u{9b}2J")])]))
        #expect(!text.contains("\u{1B}"))
        #expect(!text.contains("\u{7}"))
        #expect(!text.unicodeScalars.contains("\u{9b}"))
        #expect(text.contains("a\u{FFFD}b"))
    }

    @Test func rowsCanBeLimited() {
        let spans = (1...100).map { span(1, UInt64($0), start: UInt64($0)) }
        let text = GanttRenderer(maximumRows: 10).render(trace([resourceSpans("s", spans)]))
        #expect(text.contains("… 90 more spans"))
    }

    @Test func errorsAreRedOnlyWithColour() {
        let spans = [resourceSpans("s", [span(1, 1, isError: true)])]
        #expect(GanttRenderer(usesColour: true).render(trace(spans)).contains("\u{1B}[31m!"))
        #expect(!GanttRenderer(usesColour: false).render(trace(spans)).contains("\u{1B}"))
    }

    @Test func searchResultsAreATable() throws {
        let store = TemporaryStore()
        try store.add([kept(1, errors: 2)])
        let text = SearchTable(width: 120).render(try store.store.search(TraceQuery()))
        #expect(text.contains("9e3779b97f4a7c150000000000000001  1970-01-01 00:00:00.000"))
        #expect(text.contains("checkout: GET /"))
        #expect(
            SearchTable().render(SearchPage(traces: [], nextCursor: nil, unreadableSegments: [])) == "no traces found\n"
        )
    }

    @Test(
        arguments: [
            (0, "0ns"), (999, "999ns"), (1234, "1.23µs"), (12_345, "12.3µs"), (999_499, "999µs"), (999_999, "1ms"),
            (830_000_000, "830ms"),
            (1_240_000_000, "1.24s"), (59_960_000_000, "1m00s"), (125_000_000_000, "2m05s"),
            (3_700_000_000_000, "1h01m"),
        ] as [(UInt64, String)])
    func durationsAreShort(nanoseconds: UInt64, text: String) {
        #expect(DurationText.format(nanoseconds) == text)
    }

    @Test func durationsAreReadAsGoWritesThem() {
        #expect(DurationText.parse("100ms") == 100_000_000)
        #expect(DurationText.parse("1.5s") == 1_500_000_000)
        #expect(DurationText.parse("1h30m") == 5_400_000_000_000)
        #expect(DurationText.parse("250us") == 250_000)
        #expect(DurationText.parse("250µs") == 250_000)
        #expect(DurationText.parse("0") == 0)
        for bad in ["", "5", "ms", "1x", "-1s", "1s 2", "1..5s", "99999999999999w", "nans", "0x1s"] {
            #expect(DurationText.parse(bad) == nil, "\(bad)")
        }
    }

    @Test func timesAreReadInEveryUsualForm() {
        let expected: UInt64 = 1_700_000_000_000_000_000
        for text in [
            "1700000000", "1700000000000", "1700000000000000", "1700000000000000000", "2023-11-14T22:13:20Z",
            "2023-11-14T23:13:20+01:00", "2023-11-14T23:13:20 01:00", "2023-11-14T22:13:20.000000000Z",
        ] {
            #expect(TimeText.parse(text) == expected, "\(text)")
        }
        #expect(TimeText.parse("1700000000.5") == expected + 500_000_000)
        #expect(TimeText.parse("2023-11-14T22:13:20.123456789Z") == expected + 123_456_789)
        #expect(TimeText.parse("2024-02-29T00:00:00Z") == 1_709_164_800_000_000_000)
        for bad in [
            "", "yesterday", "-5", "nan", "inf", "0x10", "2023-13-01T00:00:00Z", "2023-11-14", "2023-11-14T22:13:20",
        ] {
            #expect(TimeText.parse(bad) == nil, "\(bad)")
        }
        #expect(TimeText.utc(1_709_164_800_123_000_000) == "2024-02-29 00:00:00.123")
    }
}
