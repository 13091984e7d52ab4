import Patterns
import Testing

@testable import Scrubbing

@Suite struct DetectorTests {
    @Test(arguments: [
        (ScrubRule.Detector.email, "write to jane.doe+x@mail.example.co.uk, now", "jane.doe+x@mail.example.co.uk"),
        (
            .jwt, "t=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_X end",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_X"
        ),
        (.ipv4, "from 10.0.255.1:80", "10.0.255.1"),
        (.authorization, "h: Bearer abc.def-123==", "Bearer abc.def-123=="),
    ])
    func detectorsFindTheirKind(_ detector: ScrubRule.Detector, _ text: String, _ secret: String) throws {
        let pattern = try #require(detector.pattern)
        #expect(try Self.matches(pattern, in: text) == [secret])
        #expect(try Self.matches(pattern, in: "GET /api/v1.2.3/cart at example.com, 999.1.1.1 eyJ basic") == [])
    }

    private static func matches(_ pattern: String, in text: String) throws -> [String] {
        var compiled = try TextPattern(pattern)
        var text = text
        return text.withUTF8 { buffer in
            let bytes = UnsafeRawBufferPointer(buffer)
            var found: [String] = []
            var position = 0
            while let match = compiled.firstMatch(in: bytes, from: position) {
                found.append(String(decoding: bytes[match], as: UTF8.self))
                position = match.upperBound
            }
            return found
        }
    }
}
