# The operator's image: one static program, the certificates that it trusts, and nothing else. `docker build .` builds it
# from source; `.ci/image` builds the same stage `runtime` without a container engine and without a base image.
#
# For several machines: docker buildx build --platform linux/amd64,linux/arm64 .

ARG RUST_IMAGE=rust:1.95.0-slim-bookworm

FROM --platform=${BUILDPLATFORM} ${RUST_IMAGE} AS build
ARG BUILDARCH
ARG TARGETARCH
# For another machine than this one: its C compiler and C library.
RUN if [ "${TARGETARCH}" != "${BUILDARCH}" ]; then \
        apt-get update && apt-get install --yes "crossbuild-essential-${TARGETARCH}" && rm -rf /var/lib/apt/lists/*; \
    fi
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/source/target,sharing=locked \
    .ci/image-files /files "${TARGETARCH}"

FROM scratch AS runtime
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="cloudflare-sso-operator" \
      org.opencontainers.image.description="Kubernetes operator that makes Cloudflare dashboard SSO declarative" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}"
COPY --chown=0:0 --from=build /files /
USER 65532:65532
EXPOSE 8080/tcp
ENTRYPOINT ["/cloudflare-sso-operator"]
