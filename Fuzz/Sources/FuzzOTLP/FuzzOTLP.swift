import OTLP

/// libFuzzer's entry point. The first byte chooses what the rest is fed to; any trap or bad access is a finding.
///
/// Build and run: `swift build -c release --package-path Fuzz -Xswiftc -sanitize=fuzzer,address`, then
/// `Fuzz/.build/release/FuzzOTLP Fuzz/corpus -max_total_time=60`.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOTLP(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = UnsafeRawBufferPointer(start: start, count: count)
    guard let choice = input.first else { return 0 }
    let bytes = UnsafeRawBufferPointer(rebasing: input.dropFirst())
    // A copy of exactly this size, so that the address sanitizer sees a read of one byte too many.
    let record = Array(bytes)
    switch choice {
    case UInt8(ascii: "p"): fuzzProtobuf(record)
    case UInt8(ascii: "j"): fuzzJSON(record)
    case UInt8(ascii: "z"): _ = try? Zstd.decompress(record, maximumSize: 1 << 20)
    default: break
    }
    return 0
}

@_silgen_name("LLVMFuzzerRunDriver")
private func runFuzzer(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
    _ target: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

/// SwiftPM makes this symbol the program's `main`, in place of libFuzzer's own.
@_cdecl("FuzzOTLP_main")
public func fuzzMain(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) -> CInt {
    var count = count
    var arguments = arguments
    return runFuzzer(&count, &arguments, { fuzzOTLP($0, $1) })
}

/// The scanner's shortcuts must change nothing: same spans, same errors, same offsets.
private func compareWithSlowScanner(_ record: [UInt8]) {
    var scanner = OTLPScanner()
    var slow = SlowScanner()
    let batch = SpanBatch()
    record.withUnsafeBytes { buffer in
        var found: ScanError?
        var expected: ScanError?
        var reference = SlowBatch()
        do throws(ScanError) { try scanner.scan(buffer, into: batch) } catch { found = error }
        do throws(ScanError) { reference = try slow.scan(buffer) } catch { expected = error }
        precondition(found == expected, "another error than without shortcuts")
        guard expected == nil else { return }
        precondition(
            batch.heads.map { "\($0)" } == reference.heads.map { "\($0)" } && batch.units == reference.units
                && scanner.rejectedSpans.map(\.error) == slow.rejectedSpans.map(\.error),
            "other spans than without shortcuts")
    }
}

private func fuzzProtobuf(_ record: [UInt8]) {
    compareWithSlowScanner(record)
    var scanner = OTLPScanner()
    let batch = SpanBatch()
    let isAccepted = record.withUnsafeBytes { buffer -> Bool in
        guard (try? scanner.scan(buffer, into: batch)) != nil else { return false }
        for head in batch.heads {
            AttributeLookup.forEach(in: batch.bytes(head.message), .span) { _, _ in true }
            _ = batch.string(head.name)
        }
        return true
    }
    guard let model = try? OTLPDecoder.decode(record) else {
        // What the scanner accepts without setting a span aside must decode.
        precondition(!isAccepted || !scanner.rejectedSpans.isEmpty, "accepted by the scanner, refused by the decoder")
        return
    }
    let again = try? OTLPDecoder.decode(OTLPEncoder.encode(model))
    precondition(again.map { "\($0)" } == "\(model)", "the model does not survive protobuf")
}

private func fuzzJSON(_ text: [UInt8]) {
    guard let request = try? OTLPJSONDecoder.decode(text) else { return }
    guard let model = try? OTLPDecoder.decode(request.protobuf) else {
        preconditionFailure("the JSON decoder wrote protobuf that does not decode")
    }
    let again = try? OTLPJSONDecoder.decodeModel(OTLPJSONEncoder.encode(model))
    precondition(again.map { "\($0)" } == "\(model)", "the model does not survive JSON")
}
