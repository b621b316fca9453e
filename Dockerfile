# The one image: the agent and, beside it, the plugin that `routelet install` copies onto the node. script/image builds it,
# with Docker or without. The final stage has no distribution: two programs, what the agent needs of glibc, and the list
# of what was linked into them.

# Debian 13, because its libmnl-dev has the libmnl.a that the plugin needs. Pin it by digest, or name one of your own.
ARG BASE=docker.io/library/debian:13-slim
FROM ${BASE} AS build

# A Debian mirror instead of deb.debian.org, for where that is slow or out of reach.
ARG APT_MIRROR=
RUN set -eu; \
    if [ -n "$APT_MIRROR" ]; then \
        sed -i "s|http://deb.debian.org/debian |$APT_MIRROR |; s|http://deb.debian.org/debian\$|$APT_MIRROR|" \
            $(find /etc/apt -name '*.list' -o -name '*.sources'); \
    fi; \
    export DEBIAN_FRONTEND=noninteractive; \
    apt-get -q update; \
    apt-get -q install -y --no-install-recommends ccache cmake g++ jq ninja-build pkg-config \
        libboost-dev libcli11-dev libmnl-dev libssl-dev libyaml-cpp-dev libzstd-dev nlohmann-json3-dev zlib1g-dev

WORKDIR /src
COPY . .

# REVISION is what `git describe --always --dirty` says: there is no .git here.
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
RUN --mount=type=cache,target=/ccache set -eu; \
    export CCACHE_DIR=/ccache CCACHE_NOHASHDIR=1; \
    cmake --preset release --log-level=WARNING -DROUTELET_TESTS=OFF -DROUTELET_STATIC_LIBRARIES=ON \
        -DROUTELET_COMMIT="$REVISION" -DCMAKE_CXX_FLAGS="-ffile-prefix-map=/src=. -ffunction-sections -fdata-sections" \
        -DCMAKE_EXE_LINKER_FLAGS="-Wl,--gc-sections -Wl,-z,pack-relative-relocs" >/dev/null; \
    cmake --build --preset release --target routelet routelet-cni; \
    script/image-content build/release /image "$VERSION" "$CREATED"

FROM scratch
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="routelet" \
      org.opencontainers.image.description="Kubernetes pod network with no overlay: node routes and a CNI plugin" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
COPY --from=build /image/ /
ENTRYPOINT ["/routelet"]
