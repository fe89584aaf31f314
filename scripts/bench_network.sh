#!/usr/bin/env bash
# Trains in every mode on four ranks of MPI, each in a network namespace of its own, joined by a bridge whose ports are
# shaped with tc: a cluster of four machines with slow links on one machine. Needs root, iproute2 and Open MPI.
# Documented in docs/parallelism.md.
# shellcheck source=scripts/common.sh
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

bin=
rates=1000,200,50
epochs=20
target=
modes=graph,hybrid,pipeline
ranks=4
out=$root/build/network
model=(--layer gcnii --layers 32 --hidden 64)
graphs=()

usage() {
  cat <<EOF
Usage: scripts/bench_network.sh [OPTIONS] GRAPH.h5... [-- OPTIONS OF laminar-train]

Runs laminar-train on $ranks ranks in network namespaces, in every mode and at every rate, and prints epoch time, bytes,
what the network interfaces counted against the ledger, how much of it TCP had to send again, and when a validation metric was reached. As root.

  --bin FOLDER      where laminar-train is (default: the newest build/*/bin)
  --rates R,...     Mbit/s of a port, each direction (default $rates)
  --epochs N        of each training (default $epochs)
  --target X        validation metric to reach
  --modes M,...     of graph, hybrid, pipeline, auto, or SxPxK (default $modes)
  --ranks N         (default $ranks)
  --out FOLDER      where logs and results go (default build/network)

After -- stand options of the model and the training (default ${model[*]}).
EOF
}

while (($#)); do
  case $1 in
    --bin) bin=$2; shift 2 ;;
    --rates) rates=$2; shift 2 ;;
    --epochs) epochs=$2; shift 2 ;;
    --target) target=$2; shift 2 ;;
    --modes) modes=$2; shift 2 ;;
    --ranks) ranks=$2; shift 2 ;;
    --out) out=$2; shift 2 ;;
    --help | -h) usage; exit 0 ;;
    --) shift; model=("$@"); break ;;
    -*) fail "unknown option $1 (see --help)" ;;
    *) graphs+=("$1"); shift ;;
  esac
done
((${#graphs[@]})) || fail "a graph file is needed (see --help)"
((EUID == 0)) || fail "network namespaces and tc need root"
for tool in ip tc mpirun python3; do command -v "$tool" >/dev/null || fail "$tool is not installed"; done
if [[ -z $bin ]]; then
  bin=$(dirname "$(newest_laminar_train)")
fi
[[ -x $bin/laminar-train ]] || fail "no laminar-train in '$bin'; build it, or say --bin"

# Names of this run's own, so that several don't meet; an interface has at most 15 letters.
tag=lm$$
bridge=${tag}br
subnet=10.$((64 + $$ % 64)).$((RANDOM % 250))
mkdir -p "$out"

cleanup() {
  local r
  for ((r = 0; r < ranks; ++r)); do
    ip netns delete "$tag-$r" 2>/dev/null || true
    ip link delete "${tag}h$r" 2>/dev/null || true
  done
  ip link delete "$bridge" 2>/dev/null || true
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# The launcher talks to the ranks over the bridge, which is not shaped towards it.
set_up() {
  local r
  ip link add "$bridge" type bridge
  ip address add "$subnet.1/24" dev "$bridge"
  ip link set "$bridge" up
  for ((r = 0; r < ranks; ++r)); do
    ip netns add "$tag-$r"
    ip link add "${tag}h$r" type veth peer name "${tag}n$r"
    ip link set "${tag}n$r" netns "$tag-$r"
    ip link set "${tag}h$r" master "$bridge" up
    ip -n "$tag-$r" link set "${tag}n$r" name eth0
    ip -n "$tag-$r" address add "$subnet.$((r + 10))/24" dev eth0
    ip -n "$tag-$r" link set eth0 up
    ip -n "$tag-$r" link set lo up
  done
}

# shape MBIT: both directions of every port. A bucket of 64 KiB lets a packet of segmentation offload through; the queue is
# long enough that TCP, not loss, sets the pace.
shape() {
  local r
  for ((r = 0; r < ranks; ++r)); do
    tc qdisc replace dev "${tag}h$r" root tbf rate "$1mbit" burst 64kb latency 100ms
    tc -n "$tag-$r" qdisc replace dev eth0 root tbf rate "$1mbit" burst 64kb latency 100ms
  done
}

# Bytes that all ranks' interfaces have sent, and segments that their TCP sent again as a full queue had dropped them.
sent() {
  local r bytes=0 again=0
  for ((r = 0; r < ranks; ++r)); do
    ((bytes += $(ip netns exec "$tag-$r" cat /sys/class/net/eth0/statistics/tx_bytes)))
    ((again += $(ip netns exec "$tag-$r" awk '/^Tcp:/ && $13 ~ /^[0-9]/ { print $13 }' /proc/net/snmp)))
  done
  echo "$bytes $again"
}

# in_namespaces PROGRAM...: as one MPI job, a rank a namespace. mpirun starts all ranks in this namespace; the wrapper
# moves each to its own.
wrapper=$out/enter.sh
cat >"$wrapper" <<EOF
#!/usr/bin/env bash
exec ip netns exec $tag-\$OMPI_COMM_WORLD_RANK "\$@"
EOF
chmod +x "$wrapper"
in_namespaces() {
  PMIX_MCA_ptl_tcp_if_include=$bridge mpirun --allow-run-as-root --oversubscribe --bind-to none -n "$ranks" \
    --mca btl tcp,self --mca btl_tcp_if_include eth0 --mca oob_tcp_if_include "$bridge" "$wrapper" "$@"
}

mode_options() {
  case $1 in
    [0-9]*x[0-9]*x[0-9]*)
      IFS=x read -r s p k <<<"$1"
      echo "--stages $s --partitions $p --chunks $k"
      ;;
    *) echo "--mode $1" ;;
  esac
}

# on_the_wire LOG GRAPH MODE [OPTIONS]: trains, and prints what has been sent meanwhile: bytes, and segments sent again.
on_the_wire() {
  local log=$1 graph=$2 mode=$3 before after
  shift 3
  read -ra before <<<"$(sent)"
  # shellcheck disable=SC2046
  in_namespaces "$bin/laminar-train" "$graph" "${model[@]}" $(mode_options "$mode") --epochs "$epochs" \
    --json "$log.json" "$@" >"$log.out" 2>"$log.err" </dev/null || return 1
  read -ra after <<<"$(sent)"
  echo $((after[0] - before[0])) $((after[1] - before[1]))
}

# The short run ends with its first evaluation, as what ends a run depends on there having been one.
first=1
for ((i = 0; i + 1 < ${#model[@]}; ++i)); do
  if [[ ${model[i]} == --eval-every ]]; then first=${model[i + 1]}; fi
done
((first < epochs)) || fail "--epochs $epochs: expected more than the $first of --eval-every"

set_up
printf '%-10s %5s  %-9s  %9s  %12s  %12s  %9s  %7s  %9s  %s\n' graph Mbit/s mode "epoch ms" "ledger B/ep" "wire MB" \
  "resent MB" "wire/l." "s to tgt" "best validation"
failed=0
for graph in "${graphs[@]}"; do
  name=$(basename "$graph" .h5)
  for rate in ${rates//,/ }; do
    shape "$rate"
    for mode in ${modes//,/ }; do
      log=$out/$name-$rate-${mode}
      # What a run sends once (start-up, the end) is in both runs, so that the difference is of epochs alone.
      if ! short=$(on_the_wire "$log-short" "$graph" "$mode" --stop-after "$first") ||
        ! long=$(on_the_wire "$log" "$graph" "$mode"); then
        printf '%-10s %5s  %-9s  failed: %s\n' "$name" "$rate" "$mode" \
          "$(cat "$log"*.err | grep -m1 -i error || tail -n 1 "$log-short.err")"
        failed=1
        continue
      fi
      python3 "$root/scripts/bench_network.py" "$log.json" "$log-short.json" "$name" "$rate" "$mode" \
        $((${long% *} - ${short% *})) $((${long#* } - ${short#* })) "$target"
      grep -h 'mode auto' "$log.err" "$log.out" 2>/dev/null | sed 's/^/    /' || true
    done
  done
done
exit "$failed"
