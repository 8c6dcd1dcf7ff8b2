# Removes a lab: its processes, what rlvs has pinned, its namespaces, its files.
#   sh -c "$script" warden NAME DIRECTORY [wait]
# With "wait", only when standard input ends; not at all when it says "keep".
name=$1 directory=$2
if [ "$3" = wait ]; then
    trap '' HUP INT TERM
    read -r word
    [ "$word" != keep ] || exit 0
fi

spaces() {
    for file in /run/netns/"$name"-*; do
        [ ! -e "$file" ] || echo "${file##*/}"
    done
}

processes() {
    for space in $(spaces); do
        ip netns pids "$space" 2>/dev/null
    done
}

# Whether they have ended by themselves, within so many tenths of a second.
have_ended() {
    for _ in $(seq "$1"); do
        [ -z "$(processes)" ] && return
        sleep 0.1
    done
    false
}

end_processes() {
    [ -z "$(processes)" ] && return
    kill -TERM $(processes) 2>/dev/null
    have_ended 20 && return
    kill -KILL $(processes) 2>/dev/null
    # A director that is still there would be asked for leave.
    have_ended 200
}

end_processes
# What is pinned outlives its namespace.
undo() {
    list=$1
    shift
    for space in $(cat "$directory/$list" 2>/dev/null); do
        [ -e "/run/netns/$space" ] || continue
        again_and_again nsenter --net="/run/netns/$space" "$directory/bin/rlvs" "$@" ||
            echo "rlvs $* failed in $space" >&2
    done
}

# A machine may be so busy that a command does not end in time.
again_and_again() {
    for limit in 15 30 60; do
        timeout -k 1 "$limit" "$@" >/dev/null && return
    done
    false
}

undo directors down
undo director-hosts director down
undo real-servers realserver down
for space in $(spaces); do
    ip netns del "$space" 2>/dev/null
done
# Programs of others, which tests have pinned.
rm -rf "/sys/fs/bpf/$name-"*
rm -rf "$directory"
