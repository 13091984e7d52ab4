# Tailrace as one image: `docker build -t tailrace .`, then `docker run tailrace --help`.

FROM swift:6.3.1-bookworm AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        librdkafka-dev libzstd-dev libxxhash-dev zlib1g-dev libcurl4-openssl-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# Dependencies first: they change more rarely than the code.
COPY Package.swift Package.resolve[d] ./
RUN swift package resolve
COPY Sources Sources
# Tests are declared in Package.swift; their folders must be there for the package to load.
COPY Tests Tests
RUN swift build -c release --product tailrace --static-swift-stdlib \
    && strip .build/release/tailrace

FROM debian:12-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        librdkafka1 libzstd1 libxxhash0 zlib1g libcurl4 libstdc++6 ca-certificates tzdata \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --user-group --home-dir /opt/tailrace --no-create-home --shell /usr/sbin/nologin tailrace \
    && install --directory --owner tailrace --group tailrace /var/lib/tailrace
COPY --from=build /src/.build/release/tailrace /usr/local/bin/tailrace
# Pipelines name files such as config/scrub.yaml from the working directory. Mount your own over these.
WORKDIR /opt/tailrace
COPY pipelines pipelines
COPY config config
USER tailrace
ENV TAILRACE_STORE=/var/lib/tailrace
VOLUME /var/lib/tailrace
EXPOSE 16686 16687
ENTRYPOINT ["tailrace"]
CMD ["--help"]
