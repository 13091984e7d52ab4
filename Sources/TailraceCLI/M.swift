import Yams
import Logging
@main struct M { static func main() {} }
