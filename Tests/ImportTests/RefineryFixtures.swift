/// Rules and configurations of Refinery, as people write them.
enum RefineryFixtures {
    /// Refinery's own `rules_complete.yaml` (honeycombio/refinery, Apache License 2.0), without its comments.
    static let complete = """
        RulesVersion: 2
        Samplers:
            __default__:
                DeterministicSampler:
                    SampleRate: 1
            env1:
                DynamicSampler:
                    SampleRate: 2
                    ClearFrequency: 1m0s
                    FieldList:
                        - request.method
                        - http.target
                        - response.status_code
                    UseTraceLength: true
            env2:
                EMADynamicSampler:
                    GoalSampleRate: 2
                    AdjustmentInterval: 15s
                    Weight: 0.5
                    AgeOutValue: 0.5
                    BurstMultiple: 2
                    BurstDetectionDelay: 3
                    FieldList: [request.method, http.target, response.status_code]
                    UseTraceLength: true
            env3:
                DeterministicSampler:
                    SampleRate: 10
            env4:
                RulesBasedSampler:
                    Rules:
                        - Name: drop healthchecks
                          Drop: true
                          Conditions:
                            - Field: http.route
                              Operator: =
                              Value: /health-check
                        - Name: drop everything from specific services
                          Drop: true
                          Conditions:
                            - Field: service.name
                              Operator: In
                              Value:
                                - noisy-service
                                - overly-chatty-service17
                        - Name: keep slow 500 errors across semantic conventions
                          SampleRate: 1
                          Conditions:
                            - Fields:
                                - http.status_code
                                - http.response.status_code
                              Operator: =
                              Value: 500
                              Datatype: int
                            - Field: duration_ms
                              Operator: '>='
                              Value: 1000
                              Datatype: float
                        - Name: dynamically sample 200 responses across semantic conventions
                          Conditions:
                            - Fields:
                                - http.status_code
                                - http.response.status_code
                              Operator: =
                              Value: 200
                              Datatype: int
                          Sampler:
                            EMADynamicSampler:
                                GoalSampleRate: 15
                                FieldList: [request.method, request.route]
                        - Name: sample traces originating from the users service
                          SampleRate: 5
                          Scope: span
                          Conditions:
                            - Field: service.name
                              Operator: =
                              Value: users
                            - Field: trace.parent_id
                              Operator: =
                              Value: root
                        - Name: drop incomplete traces from the buggy service
                          Drop: true
                          Conditions:
                            - Operator: has-root-span
                              Value: false
                            - Field: service.name
                              Operator: =
                              Value: buggy-service
                        - Name: default rule
                          SampleRate: 10
            env5:
                EMAThroughputSampler:
                    GoalThroughputPerSec: 100
                    FieldList:
                        - request.method

        """

    /// After Honeycomb's course on Refinery, which many start from.
    static let course = """
        RulesVersion: 2
        Samplers:
          __default__:
            RulesBasedSampler:
              Rules:
                - Name: Keep 500 status codes
                  SampleRate: 1
                  Conditions:
                    - Field: http.response.status_code
                      Operator: '>='
                      Value: 500
                      Datatype: int
                - Name: Keep where error field exists
                  SampleRate: 1
                  Conditions:
                    - Field: error
                      Operator: exists
                - Name: drop health checks
                  Drop: true
                  Scope: span
                  Conditions:
                    - Field: root.http.route
                      Operator: starts-with
                      Value: /healthz
                    - Field: http.response.status_code
                      Operator: "="
                      Value: 200
                      Datatype: int
                - Name: Keep long duration traces
                  SampleRate: 1
                  Scope: span
                  Conditions:
                    - Field: trace.parent_id
                      Operator: not-exists
                    - Field: duration_ms
                      Operator: ">="
                      Value: 5000
                      Datatype: int
                - Name: Dynamically Sample Non-HTTP Request
                  Conditions:
                    - Field: rpc.grpc.status_code
                      Operator: "<"
                      Value: 2
                      Datatype: int
                  Sampler:
                    EMADynamicSampler:
                      GoalSampleRate: 10
                      FieldList: [root.service.name, grpc.method, grpc.service]
                - Name: Catchall rule
                  Sampler:
                    EMAThroughputSampler:
                      GoalThroughputPerSec: 500
                      UseClusterSize: true
                      AdjustmentInterval: 30s
                      MaxKeys: 0
                      FieldList: [root.service.name]

        """

    /// In the values of Refinery's Helm chart, with what people forget.
    static let careless = """
        image: { tag: "2.8.0" }
        rules:
          RulesVersion: 2
          Samplers:
            checkout service:
              RulesBasedSampler:
                CheckNestedFields: true
                Rules:
                  - Name: quiet
                    SampleRate: 0
                    Conditions:
                      - { Field: http.route, Operator: '!=', Value: /pay }
                      - { Operator: has-root-span, Value: true }
                  - Name: odd
                    Scope: span
                    SampleRate: 3
                    Summary: true
                    Conditions:
                      - { Operator: has-root-span, Value: true }
                      - { Field: status, Operator: '>', Value: high, Datatype: int }
                      - { Field: meta.refinery.reason, Operator: exists }
                  - Name: broken
                    SampleRate: 2
                    Conditions:
                      - { Field: url, Operator: matches, Value: '(a' }
                  - Name: sampler and rate
                    SampleRate: 9
                    Conditions: [{ Field: meta.span_count, Operator: '>', Value: 300 }]
                    Sampler: { WindowedThroughputSampler: { GoalThroughputPerSec: 20, LookbackFrequency: 0s } }
            web:
              TotalThroughputSampler: { GoalThroughputPerSec: 0, ClearFrequency: 10, FieldList: [http.route], KeyField: x }

        """

    /// Refinery's main configuration, after its `config_complete.yaml`.
    static let configuration = """
        General:
          ConfigurationVersion: 2
          MinRefineryVersion: v2.0
        Network:
          ListenAddr: 0.0.0.0:8080
          HoneycombAPI: https://api.honeycomb.io
        RefineryTelemetry:
          AddRuleReasonToTrace: true
        Traces:
          SendDelay: 5s
          TraceTimeout: 90s
          SpanLimit: 2_500
          MaxBatchSize: 500
        Debugging:
          DryRun: true
        Collection:
          AvailableMemory: 4Gi
          MaxMemoryPercentage: 75
          CacheCapacity: 10000
        RedisPeerManagement:
          Host: redis:6379
        SampleCache:
          KeptSize: 10000

        """
}
