import Testing

@testable import Estimation

struct GammaDistributionTests {
    /// Values of SciPy 1.17, `scipy.special.gammainc`.
    @Test(
        "the incomplete gamma function has its published values",
        arguments: [
            (0.01, 1e-5, 0.896_336_798_267_196_9), (0.2, 4, 0.998_873_681_430_125_7),
            (0.5, 0.1, 0.345_279_153_981_423_2),
            (0.5, 3, 0.985_694_121_564_570_4), (1, 1, 0.632_120_558_828_557_7), (2.5, 0.7, 0.075_686_727_198_333_05),
            (3, 8, 0.986_246_032_255_997), (10, 10, 0.542_070_285_528_147_8), (100, 80, 0.017_108_313_035_133_1),
            (100, 125, 0.990_620_868_331_173_9), (499, 520, 0.826_925_994_382_291_6),
        ] as [(Double, Double, Double)])
    func incomplete(shape: Double, value: Double, expected: Double) {
        #expect(abs(GammaDistribution.regularized(shape, value) - expected) < 1e-11)
    }

    @Test(
        "of large shapes the normal approximation is right to five digits",
        arguments: [
            (500, 450, 0.010_717_238_088_91), (1000, 1040, 0.895_973_088_456_892_9),
            (100_000, 100_500, 0.942_896_730_023_971_2),
        ] as [(Double, Double, Double)])
    func largeShapes(shape: Double, value: Double, expected: Double) {
        #expect(abs(GammaDistribution.regularized(shape, value) - expected) < 1e-5)
    }

    /// Garwood's limits are halves of chi-square quantiles; those of SciPy for the mixture.
    @Test(
        "quantiles of a distribution and of the mixture of mid-p limits have their published values",
        arguments: [
            (0, 0, 2.995_732_273_553_99), (1, 0.050_020_344_835_335_48, 4.931_860_524_706_77),
            (2, 0.335_329_055_509_298_8, 6.607_959_747_453_6), (5, 1.831_994_808_528_417, 11.082_415_664_992_01),
            (20, 12.559_738_475_435_71, 30.339_601_130_459_12), (100, 81.791_821_092_012_3, 121.103_490_897_457_7),
        ] as [(Double, Double, Double)])
    func quantiles(count: Double, low: Double, high: Double) {
        let seen = GammaDistribution(mean: count, variance: count)
        let next = GammaDistribution(mean: count + 1, variance: count + 1)
        #expect(abs(GammaDistribution.quantile(0.025, ofMixture: seen, next) - low) < 1e-7)
        #expect(abs(GammaDistribution.quantile(0.975, ofMixture: seen, next) - high) < 1e-7)
    }

    @Test("without the mixture a quantile is the chi-square distribution's half")
    func chiSquare() {
        let one = GammaDistribution(mean: 1, variance: 1)
        #expect(abs(2 * GammaDistribution.quantile(0.025, ofMixture: one, one) - 0.050_635_615_968_58) < 1e-9)
        #expect(abs(2 * GammaDistribution.quantile(0.975, ofMixture: one, one) - 7.377_758_908_227_87) < 1e-7)
        // Scale 3.
        let scaled = GammaDistribution(mean: 13.5, variance: 40.5)
        #expect(
            abs(2 / 3.0 * GammaDistribution.quantile(0.975, ofMixture: scaled, scaled) - 19.022_767_798_641_63) < 1e-6)
    }

    @Test("senseless moments give quantiles that are numbers")
    func edges() {
        let nothing = GammaDistribution(mean: 0, variance: 0)
        #expect(GammaDistribution.quantile(0.975, ofMixture: nothing, nothing) == 0)
        for (mean, variance) in [(1e-300, 1e-300), (1, 1e12), (1e150, 1e300), (1e12, 1e-3)] {
            let some = GammaDistribution(mean: mean, variance: variance)
            #expect(!GammaDistribution.quantile(0.975, ofMixture: nothing, some).isNaN)
            #expect(GammaDistribution.quantile(0.025, ofMixture: some, some) >= 0)
        }
    }
}
