# syntax=docker/dockerfile:1
ARG NODE_IMAGE=node:24-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY packages ./packages
# Includes optional packages: the binary of esbuild is one of them.
RUN npm ci
COPY tsconfig.json ./
COPY src ./src
RUN npm run build

FROM ${NODE_IMAGE} AS production-modules
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY packages/cached-resolvers/package.json ./packages/cached-resolvers/
# Omits the embedded Postgres, an optional package: the container needs DATABASE_URL.
RUN npm ci --omit=dev --omit=optional

FROM ${NODE_IMAGE}
ENV NODE_ENV=production HOST=0.0.0.0 PORT=4000 DEMO_DATA=false
WORKDIR /app
COPY package.json ./
COPY --from=production-modules /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
# node_modules links to it.
COPY --from=build /app/packages ./packages
# The user "node" of the base image, by number, so that Kubernetes can verify that it is not root. The process writes no files.
USER 1000:1000
EXPOSE 4000
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s --start-interval=500ms --retries=3 \
  CMD ["node", "--eval", "fetch('http://127.0.0.1:' + process.env.PORT + '/livez').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# The command of `npm start`, without npm, so that node receives the signals
CMD ["node", "--max-semi-space-size=64", "--no-allocation-site-pretenuring", "--enable-source-maps", "dist/main.js"]
