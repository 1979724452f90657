#!/bin/sh
# The password goes into a file that only redis reads, never into arguments. noeviction: BullMQ's jobs must not vanish.
set -eu
umask 077
{ echo 'appendonly yes'; echo 'maxmemory-policy noeviction'; echo 'dir /data'; printf 'requirepass %s\n' "$(cat /run/secrets/redis_password)"; } > /tmp/redis.conf
chown redis:redis /tmp/redis.conf
exec docker-entrypoint.sh redis-server /tmp/redis.conf
