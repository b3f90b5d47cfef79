# The production image: the program without the embedded Temporal server, as a user without rights, and nothing else.
# docker build --build-arg VERSION=$(git describe --tags --always) -t busbar .

FROM --platform=$BUILDPLATFORM golang:1.26.8-bookworm AS build
WORKDIR /src
ENV CGO_ENABLED=0 GOCACHE=/cache/build GOMODCACHE=/cache/modules

# The modules are a layer of their own: they change less often than the code.
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/cache go mod download

COPY . .
ARG VERSION=dev
ARG TARGETOS
ARG TARGETARCH
RUN --mount=type=cache,target=/cache \
    GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -tags lean -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /out/busbar ./cmd/busbar

# static has CA certificates, time zones and a user for programs without rights; no shell.
FROM gcr.io/distroless/static-debian12:nonroot
LABEL org.opencontainers.image.title="Busbar" \
      org.opencontainers.image.description="Durable event automation for home energy" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /out/busbar /busbar
USER nonroot:nonroot
# Inside a container the published port decides who can reach it.
ENV BUSBAR_ADDR=0.0.0.0:8080
EXPOSE 8080
ENTRYPOINT ["/busbar"]
CMD ["serve"]
