# syntax=docker/dockerfile:1
ARG NODE_IMAGE=node:24-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY packages ./packages
# With the optional packages: esbuild's own binary is one of them.
RUN npm ci
COPY tsconfig.json ./
COPY src ./src
RUN npm run build

FROM ${NODE_IMAGE} AS production-modules
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY packages/cached-resolvers/package.json ./packages/cached-resolvers/
# Without the embedded Postgres, which is optional: here DATABASE_URL names one.
RUN npm ci --omit=dev --omit=optional

FROM ${NODE_IMAGE}
ENV NODE_ENV=production HOST=0.0.0.0 PORT=4000 DEMO_DATA=false
WORKDIR /app
COPY package.json ./
COPY --from=production-modules /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
# node_modules has a link to it.
COPY --from=build /app/packages ./packages
# The user "node" of the image, by number, so that Kubernetes can see that it is not root. Nothing is written to the file system.
USER 1000:1000
EXPOSE 4000
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s --start-interval=500ms --retries=3 \
  CMD ["node", "--eval", "fetch('http://127.0.0.1:' + process.env.PORT + '/livez').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# As `npm start` does it, without npm between the signals and the process
CMD ["node", "--max-semi-space-size=64", "--no-allocation-site-pretenuring", "--enable-source-maps", "dist/main.js"]
