import OTLP

/// A condition on single spans, evaluated in place on OTLP bytes without allocation.
///
/// For conditions that need nothing but the span, its resource and its scope (see `QueryPlan`). Regular expressions learn
/// while they run: one thread at a time.
package final class SpanPredicate {
    private let program: FilterProgram
    private let root: Int

    /// - Parameter condition: checked before; nil is met by every span.
    package init(_ condition: FieldExpression?) {
        var compiler = FilterCompiler()
        root = compiler.add(condition ?? FieldExpression(.literal(.bool(true))))
        program = FilterProgram(compiler)
    }

    package func matches(_ span: borrowing SpanHead, in batch: SpanBatch) -> Bool {
        program.isTrue(root, SpanView(span, in: batch, withUnit: program.readsUnit), in: nil)
    }

    package func matches(_ span: SpanView) -> Bool { program.isTrue(root, span, in: nil) }
}
