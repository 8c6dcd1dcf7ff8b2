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

end_processes() {
    [ -z "$(processes)" ] && return
    kill -TERM $(processes) 2>/dev/null
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        [ -z "$(processes)" ] && return
        sleep 0.1
    done
    kill -KILL $(processes) 2>/dev/null
}

end_processes
# What is pinned outlives its namespace.
undo() {
    list=$1
    shift
    for space in $(cat "$directory/$list" 2>/dev/null); do
        [ -e "/run/netns/$space" ] || continue
        timeout -k 1 15 nsenter --net="/run/netns/$space" "$directory/bin/rlvs" "$@" >/dev/null ||
            echo "rlvs $* failed in $space" >&2
    done
}

undo directors down
undo real-servers realserver down
for space in $(spaces); do
    ip netns del "$space" 2>/dev/null
done
rm -rf "$directory"
