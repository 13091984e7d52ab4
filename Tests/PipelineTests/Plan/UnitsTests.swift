import Pipeline
import Testing

@Suite("Units are read as they are written, and never guessed")
struct UnitsTests {
    @Test(
        arguments: [
            ("500ms", 500), ("10s", 10_000), ("1m30s", 90_000), ("2h", 7_200_000), ("7d", 604_800_000), ("0", 0),
            ("1.5s", 1500), ("10 s", 10_000), ("1500us", 2), ("0s", 0),
        ] as [(String, Int64)])
    func durations(_ text: String, _ milliseconds: Int64) {
        #expect(Units.duration(text) == milliseconds)
    }

    @Test(arguments: ["", "10", "s", "-1s", "10x", "1s5", "1..5s", ".s", "1e3s", "١s", "99999999999999999999d", "s10"])
    func noDurations(_ text: String) {
        #expect(Units.duration(text) == nil)
    }

    @Test(
        arguments: [
            ("512B", 512), ("64KiB", 65536), ("2GiB", 2 << 30), ("10MB", 10_000_000), ("1.5kib", 1536), ("0", 0),
            ("3 TiB", 3 << 40),
        ] as [(String, Int64)])
    func sizes(_ text: String, _ bytes: Int64) {
        #expect(Units.size(text) == bytes)
    }

    @Test(arguments: ["", "10", "10M", "10Mi", "-1B", "9999999TiB", "B"])
    func noSizes(_ text: String) {
        #expect(Units.size(text) == nil)
    }

    @Test func truths() {
        #expect(["true", "Yes", "on"].map(Units.boolean) == [true, true, true])
        #expect(["false", "NO", "off"].map(Units.boolean) == [false, false, false])
        #expect(["", "1", "maybe"].map(Units.boolean) == [nil, nil, nil])
    }
}
