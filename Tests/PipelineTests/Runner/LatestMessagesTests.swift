import Testing

@testable import Pipeline

struct LatestMessagesTests {
    @Test("the latest messages are kept, and how many came before them")
    func latest() {
        var messages = LatestMessages(limit: 3)
        for number in 1...3 { messages.append("loss \(number)") }
        #expect(messages.lines == ["loss 1", "loss 2", "loss 3"])
        for number in 4...1000 { messages.append("loss \(number)") }
        #expect(messages.lines == ["997 earlier ones are in the log", "loss 998", "loss 999", "loss 1000"])
    }
}
