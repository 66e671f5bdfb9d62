# The server as one static binary in an otherwise empty image. It needs no shell, no C library and no writable root.
FROM node:24-alpine AS playground
WORKDIR /src
# What npm installs changes less often than the page.
COPY web/playground/package.json web/playground/package-lock.json web/playground/.npmrc web/playground/
RUN npm --prefix web/playground ci
COPY web web
RUN mkdir -p internal/web/playground
RUN npm --prefix web/playground run build

FROM golang:1.26.8-alpine AS build
WORKDIR /src
ENV CGO_ENABLED=0 GOTOOLCHAIN=local
# Modules change less often than code: downloaded in a layer of their own, they are fetched once.
COPY go.mod go.sum ./
RUN go mod download
COPY . .
COPY --from=playground /src/internal/web/playground internal/web/playground
ARG VERSION=dev
RUN go build -trimpath -ldflags "-s -w -X gatehouse/internal/server.release=${VERSION}" -o gatehouse .
# Where an embedded database goes, unless DATABASE_URL says otherwise. It is empty here and a volume when the image runs.
RUN mkdir data

FROM scratch
ARG VERSION=dev
LABEL org.opencontainers.image.title="Gatehouse" \
      org.opencontainers.image.description="An auth server for GraphQL: accounts, logins, and the rules of who may ask what" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}"
# The authorities that a PostgreSQL server's certificate is checked against.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build --chown=65532:65532 /src/data /data
COPY --from=build /src/gatehouse /gatehouse
USER 65532:65532
WORKDIR /data
VOLUME /data
ENV ADDR=0.0.0.0:8080
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 CMD ["/gatehouse", "healthcheck"]
ENTRYPOINT ["/gatehouse"]
CMD ["serve"]
