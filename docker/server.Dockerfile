FROM node:24-bookworm-slim AS build
WORKDIR /src
COPY . .
RUN npm ci && node tools/set-up.mjs

FROM node:24-bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates openssh-client && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/strata
COPY --from=build /src/package.json /src/strata ./
COPY --from=build /src/node_modules node_modules
COPY --from=build /src/libs libs
COPY --from=build /src/apps apps
COPY --from=build /src/prisma prisma
COPY --from=build /src/catalog catalog
COPY --from=build /src/bundles bundles
EXPOSE 7443 7444 7445 7446
CMD ["node", "apps/server/dist-bundle/server.cjs", "serve"]
