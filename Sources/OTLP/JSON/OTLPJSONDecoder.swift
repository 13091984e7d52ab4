import TraceModel

/// An OTLP/JSON request as protobuf.
public struct OTLPJSONRequest: Sendable, Equatable {
    /// The `ExportTraceServiceRequest`; empty for a request without spans.
    public var protobuf: [UInt8]
    /// The member `arrival_ms` of recorded traces: milliseconds since the recording's first line, rounded.
    public var arrivalMilliseconds: Int64?

    public init(protobuf: [UInt8], arrivalMilliseconds: Int64? = nil) {
        self.protobuf = protobuf
        self.arrivalMilliseconds = arrivalMilliseconds
    }
}

/// Translates an OTLP/JSON `ExportTraceServiceRequest` to protobuf bytes, without objects in between.
///
/// Accepts what senders write: hex ids (OTLP) and base64 ids (plain proto3 JSON), 64-bit integers as numbers or
/// strings, enums as numbers or names, lowerCamelCase and snake_case names, members in any order, and the retired
/// `instrumentationLibrarySpans`. Unknown members are ignored; `null` counts as absent. A member that appears twice, an
/// id of the wrong length and an unknown enum name are errors. Pure functions: callable from any thread.
public enum OTLPJSONDecoder {
    /// Decodes one request; white space around it is allowed, anything else is an error.
    ///
    /// - Parameter bytes: UTF-8 text; must stay valid during the call only.
    /// - Throws: `OTLPJSONError` with the path and byte offset of the first defect.
    public static func decode(_ bytes: UnsafeRawBufferPointer) throws(OTLPJSONError) -> OTLPJSONRequest {
        guard let base = bytes.assumingMemoryBound(to: UInt8.self).baseAddress, bytes.count > 0 else {
            throw OTLPJSONError(message: "expected an object", offset: 0)
        }
        var translator = OTLPJSONTranslator(base: base, count: bytes.count)
        do {
            return try translator.translate()
        } catch {
            var error = error
            error.path = JSONPath.path(in: base, upTo: min(error.offset, bytes.count))
            throw error
        }
    }

    /// Decodes a request held in an array; see the other overload.
    public static func decode(_ bytes: [UInt8]) throws(OTLPJSONError) -> OTLPJSONRequest {
        let result: Result<OTLPJSONRequest, OTLPJSONError> = bytes.withUnsafeBytes { buffer in
            do throws(OTLPJSONError) { return .success(try decode(buffer)) } catch { return .failure(error) }
        }
        return try result.get()
    }

    /// Decodes a request to the model; `arrival_ms` is ignored.
    public static func decodeModel(_ bytes: [UInt8]) throws(OTLPJSONError) -> [ResourceSpans] {
        let request = try decode(bytes)
        do {
            return try OTLPDecoder.decode(request.protobuf)
        } catch {
            // Unreachable as long as both decoders agree on what is valid; an error all the same, not a trap.
            throw OTLPJSONError(message: error.code.explanation, offset: 0)
        }
    }
}
