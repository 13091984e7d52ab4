public import Pipeline
import Sampling

extension StageRegistry {
    /// All stage kinds that Tailrace comes with. Add your own with `register`.
    public static var builtIn: StageRegistry {
        var registry = StageRegistry()
        for definition in [
            KafkaSourceStage.definition, FileSourceStage.definition, ValidateStage.definition, FilterStage.definition,
            RouteStage.definition, ScrubStage.definition, TailSamplerStage.definition, IndexerStage.definition,
            SegmentsStage.definition, KafkaSinkStage.definition, RepartitionStage.definition, FileSinkStage.definition,
            DiscardStage.definition, RemoteSamplingStage.definition,
        ] {
            registry.register(definition)
        }
        return registry
    }
}
