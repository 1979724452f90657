#!/bin/sh
# Makes the secret files that docker-compose.yml names, once; keeps what is there.
set -eu
umask 077
cd "$(dirname "$0")"
mkdir -p secrets
for name in postgres_password redis_password; do
  [ -s "secrets/$name" ] || head -c 24 /dev/urandom | base64 | tr -d '/+=\n' > "secrets/$name"
done
printf 'postgresql://strata:%s@postgres:5432/strata' "$(cat secrets/postgres_password)" > secrets/database_url
printf 'redis://:%s@redis:6379' "$(cat secrets/redis_password)" > secrets/redis_url
