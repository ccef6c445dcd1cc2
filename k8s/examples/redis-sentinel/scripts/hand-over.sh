#!/bin/sh
# Before a master ends, another takes over: some tenths of a second without one, instead of the seven seconds that it takes to miss it.
set -eu
. /etc/redis/ask-sentinels.sh

is_master() {
  [ "$(REDISCLI_AUTH=$REDIS_PASSWORD timeout 2 redis-cli role | head -n 1)" = master ]
}

# Without sentinels there is nobody to hand over to, and the time is better spent on an orderly end.
handing_over() {
  for index in 0 1 2; do
    [ "$(ask_sentinel "$index" sentinel failover mymaster)" = OK ] && return
  done
  return 1
}

is_master && handing_over || exit 0
for second in 1 2 3 4 5 6 7 8 9 10; do
  is_master || exit 0
  sleep 1
done
