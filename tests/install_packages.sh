#!/bin/sh
# Install Debian's packages for the tests, those that are not here already: Chromium for the page,
# zsh and fish for completion, PostgreSQL for the store that several processes share.
set -eu
has() { command -v "$1" >/dev/null 2>&1; }
wanted=""
has chromium || has chromium-browser || has google-chrome || has google-chrome-stable || wanted="chromium"
has zsh || wanted="$wanted zsh"
has fish || wanted="$wanted fish"
has postgres || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || wanted="$wanted postgresql"
if [ -z "$wanted" ]; then exit 0; fi
if ! has apt-get; then
    case "$wanted" in
        *chromium*) echo "The browser tests need Chromium: please install it." >&2; exit 1 ;;
    esac
    exit 0 # the other tests say by name what they miss
fi
as_root=""
if [ "$(id -u)" -ne 0 ]; then as_root="sudo"; fi
echo "Installing $wanted …"
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq >/dev/null
# shellcheck disable=SC2086 - a list of words
$as_root apt-get install -y -qq --no-install-recommends $wanted >/dev/null
