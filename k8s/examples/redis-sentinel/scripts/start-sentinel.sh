#!/bin/sh
# Starts a sentinel with what it knew before, and with the settings and passwords of now. A sentinel writes its own file.
set -eu
umask 077
. /etc/redis/ask-sentinels.sh

me="$HOSTNAME.microchat-sentinel"
file=/data/sentinel.conf
first_master=microchat-redis-0.microchat-redis

# known WORDS: the lines of the old file about these.
known() {
  [ -f "$file" ] && grep -E "^sentinel ($1) " "$file" || true
}

# With a disk that is new the others may know better than the first master's name.
master_of_others() {
  for index in 0 1 2; do master_by "$index" && return; done
  echo "$first_master"
}

monitor=$(known monitor)
[ -n "$monitor" ] || monitor="sentinel monitor mymaster $(master_of_others) 6379 2"

# All servers but the master. Sentinels would find them by asking it, every ten seconds; a master that fails before that would leave
# behind replicas that nobody knows, and so nobody gives a new master.
replicas() {
  for index in 0 1 2; do
    case "$monitor" in *" microchat-redis-$index.microchat-redis "*) continue ;; esac
    echo "sentinel known-replica mymaster microchat-redis-$index.microchat-redis 6379"
  done
}

{
  echo "port $SENTINEL_PORT"
  echo 'dir /data'
  echo "requirepass $SENTINEL_PASSWORD"
  echo "sentinel sentinel-pass $SENTINEL_PASSWORD"
  # By names, because a pod comes back with another address.
  echo 'sentinel resolve-hostnames yes'
  echo 'sentinel announce-hostnames yes'
  echo "sentinel announce-ip $me"
  known 'myid|current-epoch'
  echo "$monitor"
  echo "sentinel auth-pass mymaster $REDIS_PASSWORD"
  echo 'sentinel down-after-milliseconds mymaster 5000'
  echo 'sentinel failover-timeout mymaster 30000'
  echo 'sentinel parallel-syncs mymaster 1'
  known 'config-epoch|leader-epoch|known-sentinel'
  replicas
} >"$file.new"
mv "$file.new" "$file"

exec redis-server "$file" --sentinel
