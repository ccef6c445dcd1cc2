#!/bin/sh
# sh docker/make-env.sh [DOMAIN [E-MAIL]]
# Makes .env (or the file that ENV_FILE names) of .env.example: random secrets, and a certificate of Let's Encrypt if there is an
# e-mail address, else of the proxy's own authority. HTTP_PORT and HTTPS_PORT are taken from the environment, as is PEER_PORT.
# With TRY_FEDERATION=yes, federation with the second provider of the profile `federation` is on. Never overwrites.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
domain=${1:-localhost} tls=${2:-internal} file=${ENV_FILE:-$here/.env}
http=${HTTP_PORT:-80} https=${HTTPS_PORT:-443} peer=${PEER_PORT:-8081}
url=https://$domain
[ "$https" = 443 ] || url=$url:$https

uncomment=
[ "${TRY_FEDERATION:-no}" = no ] || uncomment='s|^#FEDERATION|FEDERATION|'

random() { head -c "$1" /dev/urandom | base64 | tr -d '\n'; }
word() { head -c 24 /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }

if [ -e "$file" ]; then
  echo "$file is there already, and its secrets are not to be had again: move it away to make another." >&2
  exit 1
fi

# For our eyes only.
umask 077
sed -e "s|^DOMAIN=.*|DOMAIN=$domain|" \
  -e "s|^PUBLIC_URL=.*|PUBLIC_URL=$url|" \
  -e "s|^TLS=.*|TLS=$tls|" \
  -e "s|^HTTP_PORT=.*|HTTP_PORT=$http|" \
  -e "s|^HTTPS_PORT=.*|HTTPS_PORT=$https|" \
  -e "s|^SERVER_SECRET=.*|SERVER_SECRET=$(random 32)|" \
  -e "s|^POSTGRES_PASSWORD=.*|POSTGRES_PASSWORD=$(word)|" \
  -e "s|^REDIS_PASSWORD=.*|REDIS_PASSWORD=$(word)|" \
  -e "s|^PEER_PORT=.*|PEER_PORT=$peer|" \
  -e "s|^PEER_SERVER_SECRET=.*|PEER_SERVER_SECRET=$(random 32)|" \
  -e "s|^PEER_POSTGRES_PASSWORD=.*|PEER_POSTGRES_PASSWORD=$(word)|" \
  -e "$uncomment" \
  "$here/.env.example" >"$file"
echo "Made $file: the server will be at $url"
