#!/bin/sh
REDISCLI_AUTH=$(cat /run/secrets/redis_password) exec redis-cli --no-auth-warning ping
