# Sourced by the others.

SENTINEL_PORT=26379

# ask_sentinel INDEX COMMAND...: asks one sentinel, for two seconds at most.
ask_sentinel() {
  index=$1
  shift
  REDISCLI_AUTH=$SENTINEL_PASSWORD timeout 2 \
    redis-cli -h "microchat-sentinel-$index.microchat-sentinel" -p "$SENTINEL_PORT" "$@" 2>/dev/null
}

# master_by INDEX: the host name of the master as one sentinel knows it, or nothing.
master_by() {
  ask_sentinel "$1" sentinel get-master-addr-by-name mymaster | head -n 1 | grep -E '^microchat-redis-[0-9]+\.microchat-redis$'
}
