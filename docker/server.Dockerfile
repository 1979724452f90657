FROM node:24-bookworm-slim AS build
WORKDIR /src
COPY . .
RUN npm ci && node tools/set-up.mjs

FROM node:24-bookworm-slim
# The lists stay: recipes build images from the packages that they name; pip brings Go where a recipe compiles.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates openssh-client python3 python3-pip gcc libc6-dev
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
