# The one image: the agent and, beside it, the plugin that `routelet install` copies onto the node. script/image builds it,
# with Docker or without. The final stage has no distribution: two programs, what the agent needs of glibc, and the list
# of what was linked into them.

# Debian 13, because its libmnl-dev has the libmnl.a that the plugin needs. Pin it by digest, or name one of your own.
ARG BASE=docker.io/library/debian:13-slim
FROM --platform=$BUILDPLATFORM ${BASE} AS build

# The processor that the image is for, amd64 or arm64. The compiler runs on the build machine's own and crosses over
# where they differ: nothing is emulated.
ARG TARGETARCH

# A Debian mirror instead of deb.debian.org, for where that is slow or out of reach.
ARG APT_MIRROR=
RUN set -eu; \
    if [ -n "$APT_MIRROR" ]; then \
        sed -i "s|http://deb.debian.org/debian |$APT_MIRROR |; s|http://deb.debian.org/debian\$|$APT_MIRROR|" \
            $(find /etc/apt -name '*.list' -o -name '*.sources'); \
    fi; \
    export DEBIAN_FRONTEND=noninteractive; \
    compiler=g++; \
    if [ "$TARGETARCH" != "$(dpkg --print-architecture)" ]; then \
        dpkg --add-architecture "$TARGETARCH"; \
        compiler=crossbuild-essential-$TARGETARCH; \
    fi; \
    apt-get -q update; \
    apt-get -q install -y --no-install-recommends ccache cmake "$compiler" dpkg-dev jq ninja-build pkg-config \
        libcli11-dev libprotozero-dev nlohmann-json3-dev \
        $(printf "%s:$TARGETARCH " libboost-dev libmnl-dev libssl-dev libyaml-cpp-dev libzstd-dev zlib1g-dev)

WORKDIR /src
COPY . .

# When crossing, the linker finds two copies of glibc: the one of the compiler's package, which gets no security updates,
# and Debian's own for that processor. -B puts the latter first, for the plugin has glibc inside.
# REVISION is what `git describe --always --dirty` says: there is no .git here.
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
RUN --mount=type=cache,target=/ccache set -eu; \
    export CCACHE_DIR=/ccache CCACHE_NOHASHDIR=1; \
    cross=; linker_flags=; \
    if [ "$TARGETARCH" != "$(dpkg --print-architecture)" ]; then \
        triple=$(dpkg-architecture --host-arch "$TARGETARCH" --query DEB_HOST_MULTIARCH); \
        export PKG_CONFIG_LIBDIR="/usr/lib/$triple/pkgconfig"; \
        cross="-DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=${triple%%-*} -DCMAKE_CXX_COMPILER=$triple-g++"; \
        linker_flags="-B/usr/lib/$triple"; \
    fi; \
    cmake --preset release $cross --log-level=WARNING -DROUTELET_TESTS=OFF -DROUTELET_STATIC_LIBRARIES=ON \
        -DROUTELET_COMMIT="$REVISION" -DCMAKE_CXX_FLAGS="-ffile-prefix-map=/src=. -ffunction-sections -fdata-sections" \
        -DCMAKE_EXE_LINKER_FLAGS="-Wl,--gc-sections -Wl,-z,pack-relative-relocs $linker_flags" >/dev/null; \
    cmake --build --preset release --target routelet routelet-cni; \
    script/image-content build/release /image "$TARGETARCH" "$VERSION" "$CREATED"

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
