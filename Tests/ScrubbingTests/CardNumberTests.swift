import Testing

@testable import Scrubbing

private func cards(in text: String) -> [String] {
    var text = text
    return text.withUTF8 { buffer in
        let bytes = UnsafeRawBufferPointer(buffer)
        var found: [String] = []
        var position = 0
        while let match = CardNumber.firstMatch(in: bytes, from: position) {
            found.append(String(decoding: bytes[match], as: UTF8.self))
            position = match.upperBound
        }
        return found
    }
}

@Suite struct CardNumberTests {
    /// The card networks' and payment providers' published test numbers.
    @Test(arguments: [
        "4111111111111111", "4012888888881881", "4222222222222", "5555555555554444", "5105105105105100",
        "2223003122003222", "2720992720992729", "378282246310005", "371449635398431", "6011111111111117",
        "6011000990139424", "30569309025904", "38520000023237", "36227206271667", "3530111333300000",
        "3566002020360505", "6200000000000005", "6759649826438453", "2200000000000004",
    ])
    func findsTestNumbersOfEveryIssuer(_ number: String) {
        #expect(cards(in: number) == [number])
        #expect(cards(in: "paid with \(number).") == [number])
        #expect(cards(in: "{\"pan\":\"\(number)\",\"cvc\":1}") == [number])
        #expect(cards(in: "PAN\(number)=") == [number])
        for separator in [" ", "-"] {
            let first = number.prefix(4)
            let rest = number.dropFirst(4)
            let grouped = [first, rest.prefix(4), rest.dropFirst(4).prefix(4), rest.dropFirst(8)]
                .filter { !$0.isEmpty }.joined(separator: separator)
            #expect(cards(in: "é \(grouped) ok") == [grouped])
        }
    }

    @Test func findsSeveralAndThoseAmongOtherNumbers() {
        #expect(
            cards(in: "a 4111-1111-1111-1111, b 378282246310005; c") == ["4111-1111-1111-1111", "378282246310005"])
        #expect(cards(in: "order 12 4111 1111 1111 1111 34") == ["4111 1111 1111 1111"])
        #expect(cards(in: "order 1234 4111 1111 1111 1111 5678") == ["4111 1111 1111 1111"])
        #expect(cards(in: "4111 1111 1111 1111 5555 5555 5555 4444") == ["4111 1111 1111 1111", "5555 5555 5555 4444"])
    }

    @Test(arguments: [
        "4111111111111112",  // wrong check digit
        "41111111111111111", "14111111111111111",  // part of a longer number
        "4111  1111 1111 1111", "4111--1111-1111-1111", "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "4111.1111.1111.1111",
        "1700000000000000000", "1700000000000008", "1700000000003",  // times in nano-, micro- and milliseconds
        "0000000000000000", "9999999999999995", "1234567890123452",  // no issuer
        "0.4111111111111111", "-73.4111111111111111",  // fractions
        "4111111111111111abcdef4111111111", "af4111111111111111c43dd8448eb211",  // trace ids
        "550e8400-e29b-41d4-a716-446655440000", "2024-11-21 03:15:22", "+49 30 1234567", "411111111111", "",
        "411111111111 ", "378282246310005 0".replacingOccurrences("5 0", "50"),
    ])
    func leavesOtherNumbersAlone(_ text: String) {
        #expect(cards(in: text).isEmpty)
    }

    @Test func ofRandomNumbersFewAreTakenForCards() {
        var random = SeededGenerator(seed: 1)
        let count = 20_000
        let hits = (0..<count).count { _ in
            !cards(in: String(UInt64.random(in: 1_000_000_000_000_000...9_999_999_999_999_999, using: &random))).isEmpty
        }
        #expect(Double(hits) / Double(count) < 0.05)
        let nanoseconds = (0..<count).count { _ in
            !cards(in: String(UInt64.random(in: 1_500_000_000_000_000_000..<2_000_000_000_000_000_000, using: &random)))
                .isEmpty
        }
        #expect(nanoseconds == 0)
    }

    /// The search looks at every 13th byte only; a plain search must find the same.
    @Test func findsACardAtEveryOffset() {
        for before in 0..<40 {
            for filler in ["x", "-", " ", "7x"] {
                let prefix = String(String(repeating: filler, count: before).prefix(before))
                let text = prefix + (prefix.last == "7" ? "x" : "") + "4111111111111111" + "xx"
                #expect(cards(in: text) == ["4111111111111111"], "\(text)")
            }
        }
    }
}

extension String {
    fileprivate func replacingOccurrences(_ part: String, _ other: String) -> String {
        split(separator: part, omittingEmptySubsequences: false).joined(separator: other)
    }
}
