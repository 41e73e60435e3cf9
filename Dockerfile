# syntax=docker/dockerfile:1
FROM rust:1.95-bookworm AS builder
# clang compiles the eBPF programs; libbpf's own source is in the libbpf-sys crate and needs libelf and zlib.
RUN apt-get update \
    && apt-get install -y --no-install-recommends clang libelf-dev zlib1g-dev pkg-config make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# The caches are not part of an image layer, so the binary is copied out of the target folder.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked -p headertap \
    && install -D target/release/headertap /out/headertap

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends libelf1 zlib1g ca-certificates \
    && rm -rf /var/lib/apt/lists/*
COPY --from=builder /out/headertap /usr/local/bin/headertap
# Root: loading eBPF programs needs CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON. headertap drops the rest.
ENTRYPOINT ["/usr/local/bin/headertap"]
CMD ["run"]
