FROM redis:7-bookworm
COPY --chmod=0755 docker/redis-start.sh /usr/local/bin/strata-redis-start
COPY --chmod=0755 docker/redis-ping.sh /usr/local/bin/strata-redis-ping
CMD ["strata-redis-start"]
