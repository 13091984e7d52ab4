/// The nearest-rank percentile: the smallest value that at least this share of all values does not exceed.
public enum NearestRank {
    /// The position of the percentile among `count` sorted values; 0 for none.
    ///
    /// - Parameter share: 0…1.
    public static func index(_ share: Double, of count: Int) -> Int {
        // 0.999 of 1000 is 999, whatever the last bits of the product say.
        let rank = (min(max(share, 0), 1) * Double(count) * (1 - 1e-12)).rounded(.up)
        return max(0, min(count, Int(rank)) - 1)
    }
}
