# The guest's second program: makes a machine that programs expect, runs the job, tells its end.
job=/run/rlvs-vm
bb=$job/busybox # from memory: each program of the host costs a walk over 9p

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root LANG=C.UTF-8 TERM=dumb RLVS_VM=1

filesystems() {
    $bb mkdir -p /dev/pts /dev/shm /run/lock /run/netns
    $bb mount -t devpts -o ptmxmode=666 devpts /dev/pts
    $bb mount -t tmpfs tmpfs /dev/shm
    $bb mount -t cgroup2 cgroup2 /sys/fs/cgroup
    $bb mount -t bpf bpf /sys/fs/bpf
    $bb mount -t debugfs debugfs /sys/kernel/debug
    $bb mount -t tracefs tracefs /sys/kernel/tracing
    $bb ln -sfn /proc/self/fd /dev/fd
    $bb ln -sfn fd/0 /dev/stdin
    $bb ln -sfn fd/1 /dev/stdout
    $bb ln -sfn fd/2 /dev/stderr
}

settings() {
    $bb hostname rlvs-vm
    $bb ip link set lo up
    echo 1 >/proc/sys/net/core/bpf_jit_enable
    ulimit -l unlimited
    ulimit -n 65536
    ulimit -c 0
}

shares() {
    local list number=0 share
    mapfile -d '' -t list <$job/shares
    for share in "${list[@]}"; do
        $bb mkdir -p "$share"
        $bb mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=mmap \
            "share$number" "$share" || echo "rlvs vm: cannot mount $share"
        number=$((number + 1))
    done
}

# The command writes to pipes: a serial port can be opened only once, and is no file to seek in.
ports() {
    local port name
    $bb mkfifo $job/stdout $job/stderr
    for port in /sys/class/virtio-ports/*; do
        name=$(<"$port/name")
        $bb cat <>"$job/$name" >"/dev/${port##*/}" &
    done
    exec 3<>$job/stdout 4<>$job/stderr
}

run() {
    local command environment directory
    mapfile -d '' -t command <$job/command
    mapfile -d '' -t environment <$job/environment
    mapfile -d '' -t directory <$job/directory
    cd "${directory[0]}"
    (
        exec 3>&- 4>&-
        [ ${#environment[@]} = 0 ] || export "${environment[@]}"
        exec "${command[@]}"
    ) </dev/null >$job/stdout 2>$job/stderr
}

filesystems
settings
shares
ports
echo "rlvs vm: the command begins" # on the console: the host looks for it
run
status=$?
mapfile -d '' -t token <$job/token
$bb sync
printf '%s %d\n' "${token[0]}" $status >&4
printf '%s %d\n' "${token[0]}" $status >&3
$bb sleep 30 # the host ends the machine when it has read both
$bb poweroff -f
