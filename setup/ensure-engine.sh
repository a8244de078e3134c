#!/bin/bash
# Makes sure that a Docker Engine answers: installs Debian's and starts it when none does. Never touches one that answers.
# Idempotent; two runs at once wait for each other. PODKIT_NODE names the Node to ask with (default: node). What needs the network or
# waits for others is tried several times. PODKIT_ENGINE_STATE names a folder to use instead of /run and /var/log (for tests).
# Exit: 0 an engine answers; 69 none does and it cannot be helped from here (the reason and the remedy are printed).
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
run=${PODKIT_ENGINE_STATE:-/run}
log=${PODKIT_ENGINE_STATE:-/var/log}/podkit-dockerd.log

answers() { answer=$("${PODKIT_NODE:-node}" "$here/engine-answers.mjs"); }
report() { read -r version api _ <<<"$answer"; echo "Docker Engine $version answers (API $api)$1"; exit 0; }
refuse() { echo "$1" >&2; exit 69; }
remedy="Install Docker (https://docs.docker.com/engine/install/), start it, and run this again."

# A try that was cut short may have left packages half configured. apt's own lock is waited for; the one of the lists cannot be.
install_engine() {
  local options=(-qq -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300)
  { command -v dpkg >/dev/null && dpkg --configure -a
    # A mirror that does not answer now may have answered before: the installation decides.
    apt-get "${options[@]}" update
    apt-get "${options[@]}" install -y --no-install-recommends docker.io iptables ca-certificates
  } >>"$log.apt" 2>&1 9>&-
}

answers && report ""
case $? in
  3) refuse "A Docker Engine is there but may not be used: $answer. Remedy: add this user to the group docker (usermod -aG docker \"\$USER\", then log in again) or run this as root." ;;
  4) refuse "$answer. Remedy: upgrade Docker." ;;
esac
[ -z "${DOCKER_HOST:-}" ] || refuse "No Docker Engine answers at DOCKER_HOST=$DOCKER_HOST. Remedy: start that engine, or unset DOCKER_HOST to use this machine's."
[ "$(uname -s)" = Linux ] || refuse "No Docker Engine answers ($answer). Remedy: start Docker Desktop or another engine."
[ "$(id -u)" = 0 ] || refuse "No Docker Engine answers ($answer), and only root can install and start one. Remedy: run this as root. Or: $remedy"
command -v dockerd >/dev/null || command -v apt-get >/dev/null || refuse "No Docker Engine answers ($answer), and this system has no apt to install one with. $remedy"

exec 9>"$run/podkit-engine.lock"
flock 9
answers && report ""

if ! command -v dockerd >/dev/null; then
  echo "Installing Docker Engine from this machine's Debian packages"
  export DEBIAN_FRONTEND=noninteractive
  : >"$log.apt"
  # A cut download, a mirror that is just being renewed, or a machine that looks for updates of its own at the same time: over in a while.
  for pause in 3 10 30 60 end; do
    install_engine && break
    if [ "$pause" = end ]; then
      tail -n 20 "$log.apt" >&2
      refuse "Docker Engine could not be installed in 5 tries; above is the end of $log.apt. Remedy: make \"apt-get install docker.io\" work. Or: $remedy"
    fi
    echo "The installation failed; trying again in $pause s: $(grep '^E: ' "$log.apt" | tail -n 1)"
    sleep "$pause"
  done
fi

# Without systemd nobody has mounted the control groups.
if ! grep -q ' /sys/fs/cgroup' /proc/mounts; then mount -t cgroup2 none /sys/fs/cgroup || true; fi

is_running() { [ "$(cat "/proc/$1/comm" 2>/dev/null)" = "$2" ] && ! grep -q '^State:.*Z' "/proc/$1/status" 2>/dev/null; }

# What a killed daemon leaves behind stops the next one: a pid file (whose number, or a zombie, passes for a running daemon)
# and its own containerd, which outlives it. Both are cleared, after a look at what those processes really are.
clear_remains() {
  local daemon containerd
  daemon=$(cat "$run/docker.pid" 2>/dev/null || true)
  if [ -n "$daemon" ] && is_running "$daemon" dockerd; then return; fi
  containerd=$(cat "$run/docker/containerd/containerd.pid" 2>/dev/null || true)
  if [ -n "$containerd" ] && is_running "$containerd" containerd; then
    kill "$containerd" || true
    for _ in $(seq 40); do is_running "$containerd" containerd || break; sleep 0.1; done
  fi
  rm -f "$run/docker.pid" "$run/docker/containerd/containerd.pid"
}

echo "Starting Docker Engine"
daemon=""
start_daemon() {
  clear_remains
  setsid nohup dockerd >>"$log" 2>&1 </dev/null 9>&- &
  daemon=$!
}
if ! { [ -d /run/systemd/system ] && systemctl start docker 9>&-; }; then start_daemon; fi
# A slow machine takes its time; a daemon that ended at once (the firewall's lock was held, its network still had to come) is started again.
starts=1
for _ in $(seq 480); do
  answers && report ", started"
  if [ -n "$daemon" ] && [ "$starts" -lt 4 ] && ! kill -0 "$daemon" 2>/dev/null; then
    sleep 2
    starts=$((starts + 1))
    start_daemon
  fi
  sleep 0.25
done
tail -n 20 "$log" >&2
refuse "Docker Engine did not answer within 2 minutes of its start; above is the end of $log. Remedy: make \"dockerd\" run on this machine."
