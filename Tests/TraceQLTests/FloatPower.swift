import Glibc

/// Apart from the evaluator, so that only this file needs the C library.
enum FloatPower {
    static func of(_ base: Double, _ exponent: Double) -> ReferenceEvaluator.Value { .float(pow(base, exponent)) }
}
