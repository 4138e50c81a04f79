#!/usr/bin/env bash
# Builds both images for real without a Docker engine, runs gateway and worker from them, and streams a video through.
#
# buildah reads the same Dockerfiles as docker. Their base, debian:bookworm-slim, is made by debootstrap. Needs root, and the
# Debian packages buildah and debootstrap; takes about five minutes. What is built stays in a cache outside the repository
# (CELLSTORM_IMAGE_CACHE), so that a second call is quicker.
set -euo pipefail
cd "$(dirname "$0")/../.."

for tool in buildah debootstrap; do
    command -v "$tool" >/dev/null || { echo "$tool is missing: apt-get install buildah debootstrap" >&2; exit 2; }
done
[ "$(id -u)" = 0 ] || { echo "debootstrap and chroot need root" >&2; exit 2; }

cache=${CELLSTORM_IMAGE_CACHE:-${TMPDIR:-/tmp}/cellstorm-images}
mkdir -p "$cache"
export BUILDAH_ISOLATION=chroot STORAGE_DRIVER=vfs
buildah=(buildah --root "$cache/storage" --runroot "$cache/run")
base=debian:bookworm-slim

if ! "${buildah[@]}" inspect --type image "$base" >/dev/null 2>&1; then
    echo "Base image"
    rm -rf "$cache/root"
    debootstrap --variant=minbase bookworm "$cache/root" >"$cache/debootstrap.log"
    container=$("${buildah[@]}" from scratch)
    "${buildah[@]}" add -q "$container" "$cache/root" / >/dev/null
    "${buildah[@]}" commit -q "$container" "$base" >/dev/null
    "${buildah[@]}" rm "$container" >/dev/null
    rm -rf "$cache/root"
fi

volumes=()
while read -r volume; do volumes+=(--volume "$volume"); done < <(.venv/bin/python tests/e2e/build_settings.py "$cache")

build() { # NAME DOCKERFILE
    echo "Image $1"
    "${buildah[@]}" build --format docker --pull=never "${volumes[@]}" -t "$1" -f "$2" . >"$cache/build.log" 2>&1 ||
        { tail -n 40 "$cache/build.log"; exit 1; }
}
build cellstorm-gateway server/Dockerfile
build cellstorm-worker:cpu worker/Dockerfile
"${buildah[@]}" rmi --prune >/dev/null

echo "A video through both"
CELLSTORM_TEST_BUILDAH="${buildah[*]}" .venv/bin/pytest -q tests/e2e/test_images.py
