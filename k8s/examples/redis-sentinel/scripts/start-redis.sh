#!/bin/sh
# Starts a server as what the sentinels take it for. They keep what they know on disk and need no server to say it, so waiting for
# them ends; a server that decided by itself would come back as a second master.
set -eu
umask 077
. /etc/redis/ask-sentinels.sh

me="$HOSTNAME.microchat-redis"

# agreed_master: the name that two of three sentinels give. One alone may have been away during a failover.
agreed_master() {
  for index in 0 1 2; do master_by "$index" || true; done | sort | uniq -d
}

master=$(agreed_master)
while [ -z "$master" ]; do
  echo "waiting for two sentinels that agree on a master"
  sleep 1
  master=$(agreed_master)
done
echo "the master is $master"

# Written again at each start: the sentinels may have changed it since. By names, because a pod comes back with another address.
{
  echo 'include /etc/redis/redis.conf'
  echo "replica-announce-ip $me"
  echo "requirepass $REDIS_PASSWORD"
  echo "masterauth $REDIS_PASSWORD"
  if [ "$master" != "$me" ]; then echo "replicaof $master 6379"; fi
} >/run/redis/redis.conf

exec redis-server /run/redis/redis.conf
