# Shell functions that the scripts share. Sourced, never run: . "$(dirname "$0")/lib.sh"
#
# Always holds afterwards: `repository` is the top of the source tree, as an absolute path.

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# say TEXT: one line about what the script does, led by the script's own name.
say() { printf '%s: %s\n' "$(basename "$0")" "$*"; }

# fail TEXT: what is wrong and what to do about it, on stderr; ends the script with status 1.
fail()
{
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# need_root WHY: ends the script unless it runs as root.
need_root()
{
    ((EUID == 0)) || fail "$1 needs root; run it again as root: sudo $0"
}

# ensure_setup: everything that building needs is installed when this returns. Quick when it already is.
ensure_setup()
{
    "$repository/script/setup" --check >/dev/null 2>&1 || "$repository/script/setup"
}

# One checkout's compilations serve another's: paths below the checkout do not count.
export CCACHE_BASEDIR=$repository CCACHE_NOHASHDIR=1

# ensure_build PRESET [TARGET...]: built in $repository/build/PRESET when this returns; all of it unless targets are
# given. Shows the builder's progress while there is something to do.
ensure_build()
{
    local preset=$1
    shift
    ensure_setup
    say "building ($preset)"
    (cd "$repository" && cmake --preset "$preset" --log-level=WARNING >/dev/null &&
        cmake --build --preset "$preset" ${1:+--target "$@"}) || fail "the build failed; what is above says where"
}
