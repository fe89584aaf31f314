#!/usr/bin/env bash
# Installs what Laminar is built with on Debian 12+ and Ubuntu 24.04+. Does nothing, and needs no rights, when all is
# there. On other systems it names what is needed and leaves it to you.
set -euo pipefail

packages=(
  g++ cmake ninja-build pkg-config
  libtbb-dev libeigen3-dev libboost-program-options-dev libhdf5-dev libzip-dev zlib1g-dev liblzma-dev libzstd-dev libspectra-dev libxml2-dev librandom123-dev nlohmann-json3-dev
  libfmt-dev libdnnl-dev libmetis-dev libopenmpi-dev openmpi-bin
  doctest-dev hdf5-tools python3 python3-numpy python3-scipy python3-h5py
)

usage() {
  cat <<TEXT
Usage: scripts/install_dependencies.sh [--list]

Installs the missing ones of these packages with apt-get, through sudo if you are not root:
  ${packages[*]}

  --list   print the packages that are missing, and install nothing
TEXT
}

fail() {
  printf 'install_dependencies: %s\n' "$*" >&2
  exit 1
}

list_only=false
for argument in "$@"; do
  case "$argument" in
    --list) list_only=true ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
done

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  printf 'install_dependencies: this is no Debian or Ubuntu. Going on; the build needs the equivalents of:\n  %s\n' \
    "${packages[*]}" >&2
  exit 0
fi

missing=()
for package in "${packages[@]}"; do
  # `dpkg-query -W` fails for a package it never heard of, and says "deinstall" for one that was removed.
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [[ $status == installed ]] || missing+=("$package")
done

if $list_only; then
  [[ ${#missing[@]} -eq 0 ]] || printf '%s\n' "${missing[@]}"
  exit 0
fi
if [[ ${#missing[@]} -eq 0 ]]; then
  echo "Dependencies: all ${#packages[@]} packages are installed."
  exit 0
fi

echo "Dependencies: installing ${missing[*]}"
as_root=()
if [[ $(id -u) -ne 0 ]]; then
  command -v sudo >/dev/null || fail "needs root, and there is no sudo. As root, run:  apt-get install ${missing[*]}"
  as_root=(sudo)
  # Without a terminal nobody can type a password.
  [[ -t 0 ]] || as_root=(sudo -n)
fi
"${as_root[@]}" apt-get update -qq || fail "apt-get update failed (see above); are the sources and the rights in order?"
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null ||
  fail "apt-get install failed (see above). Needed and missing: ${missing[*]}"
