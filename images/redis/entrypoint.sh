#!/bin/sh
# Keeps the contract of the image on the public registry: flags alone, or a .conf file, mean redis-server. Protected mode is
# off as it is there, because a client in another container never comes from this container's loopback.
set -e
if [ "${1#-}" != "$1" ] || [ "${1%.conf}" != "$1" ]; then set -- redis-server "$@"; fi
if [ "$1" = redis-server ]; then
  case " $* " in
    *protected-mode* | *" --sentinel "*) ;;
    *) set -- "$@" --protected-mode no ;;
  esac
fi
exec "$@"
