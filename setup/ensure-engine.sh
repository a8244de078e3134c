#!/bin/bash
# Makes sure that a Docker Engine answers: installs Debian's and starts it when none does. Never touches one that answers.
# Idempotent; two runs at once wait for each other. PODKIT_NODE names the Node to ask with (default: node).
# Exit: 0 an engine answers; 69 none does and it cannot be helped from here (the reason and the remedy are printed).
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
log=/var/log/podkit-dockerd.log
lock=/run/podkit-engine.lock

answers() { answer=$("${PODKIT_NODE:-node}" "$here/engine-answers.mjs"); }
report() { read -r version api _ <<<"$answer"; echo "Docker Engine $version answers (API $api)$1"; exit 0; }
refuse() { echo "$1" >&2; exit 69; }
remedy="Install Docker (https://docs.docker.com/engine/install/), start it, and run this again."

answers && report ""
case $? in
  3) refuse "A Docker Engine is there but may not be used: $answer. Remedy: add this user to the group docker (usermod -aG docker \"\$USER\", then log in again) or run this as root." ;;
  4) refuse "$answer. Remedy: upgrade Docker." ;;
esac
[ -z "${DOCKER_HOST:-}" ] || refuse "No Docker Engine answers at DOCKER_HOST=$DOCKER_HOST. Remedy: start that engine, or unset DOCKER_HOST to use this machine's."
[ "$(uname -s)" = Linux ] || refuse "No Docker Engine answers ($answer). Remedy: start Docker Desktop or another engine."
[ "$(id -u)" = 0 ] || refuse "No Docker Engine answers ($answer), and only root can install and start one. Remedy: run this as root. Or: $remedy"
command -v dockerd >/dev/null || command -v apt-get >/dev/null || refuse "No Docker Engine answers ($answer), and this system has no apt to install one with. $remedy"

exec 9>"$lock"
flock 9
answers && report ""

if ! command -v dockerd >/dev/null; then
  echo "Installing Docker Engine from this machine's Debian packages"
  export DEBIAN_FRONTEND=noninteractive
  # A mirror that does not answer now may have answered before: the installation decides.
  apt-get -qq update >"$log.apt" 2>&1 9>&- || true
  if ! apt-get -qq install -y --no-install-recommends docker.io iptables ca-certificates >>"$log.apt" 2>&1 9>&-; then
    tail -n 20 "$log.apt" >&2
    refuse "Docker Engine could not be installed; above is the end of $log.apt. Remedy: make \"apt-get install docker.io\" work. Or: $remedy"
  fi
fi

# Without systemd nobody has mounted the control groups.
if ! grep -q ' /sys/fs/cgroup' /proc/mounts; then mount -t cgroup2 none /sys/fs/cgroup || true; fi

is_running() { [ "$(cat "/proc/$1/comm" 2>/dev/null)" = "$2" ] && ! grep -q '^State:.*Z' "/proc/$1/status" 2>/dev/null; }

# What a killed daemon leaves behind stops the next one: a pid file (whose number, or a zombie, passes for a running daemon)
# and its own containerd, which outlives it. Both are cleared, after a look at what those processes really are.
clear_remains() {
  local daemon containerd
  daemon=$(cat /var/run/docker.pid 2>/dev/null || true)
  if [ -n "$daemon" ] && is_running "$daemon" dockerd; then return; fi
  containerd=$(cat /var/run/docker/containerd/containerd.pid 2>/dev/null || true)
  if [ -n "$containerd" ] && is_running "$containerd" containerd; then
    kill "$containerd" || true
    for _ in $(seq 40); do is_running "$containerd" containerd || break; sleep 0.1; done
  fi
  rm -f /var/run/docker.pid /var/run/docker/containerd/containerd.pid
}

echo "Starting Docker Engine"
if ! { [ -d /run/systemd/system ] && systemctl start docker 9>&-; }; then
  clear_remains
  setsid nohup dockerd >>"$log" 2>&1 </dev/null 9>&- &
fi
for _ in $(seq 120); do
  answers && report ", started"
  sleep 0.25
done
tail -n 20 "$log" >&2
refuse "Docker Engine did not answer within 30 s of its start; above is the end of $log. Remedy: make \"dockerd\" run on this machine."
