# docker build -t fuseboard .
# docker run -p 7077:7077 -v fuseboard:/data -e FUSEBOARD_TOKEN=... --read-only --stop-timeout 15 fuseboard
#
# FUSEBOARD_TOKEN (a secret of your choice, with every right) is needed: beyond loopback the server refuses to start
# without a token. Or make tokens in the volume first:
# docker run --rm -v fuseboard:/data fuseboard token create --scope admin ops

FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin fuseboard \
    && install -D -m 0755 target/release/fuseboard /out/fuseboard \
    && mkdir /out/data

FROM debian:bookworm-slim
# `fuseboard ready` is a TLS client too and wants the roots, even to ask over plain HTTP.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/fuseboard /usr/local/bin/fuseboard
COPY --from=build --chown=10001:10001 /out/data /data
USER 10001:10001
# All writing goes to the volume, SQLite's temporary files included, so that the root may be read-only.
ENV FUSEBOARD_DB=/data/fuseboard.db \
    FUSEBOARD_LISTEN=0.0.0.0:7077 \
    SQLITE_TMPDIR=/data
VOLUME /data
EXPOSE 7077
HEALTHCHECK --interval=10s --timeout=4s --start-period=10s --retries=3 CMD ["fuseboard", "ready"]
ENTRYPOINT ["fuseboard"]
CMD ["serve"]
