#!/bin/busybox sh
# The guest's first program: the host's root file system, with a tmpfs over it, becomes the guest's.
bb=/bin/busybox
$bb mkdir -p /proc /sys /dev /host /layer /guest
$bb mount -t proc proc /proc
$bb mount -t sysfs sysfs /sys
$bb mount -t devtmpfs devtmpfs /dev

for module in /modules/*.ko; do
    $bb insmod "$module" || echo "rlvs vm: cannot insert $module"
done

$bb mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro root /host &&
    $bb mount -t tmpfs -o size=90% layer /layer &&
    $bb mkdir /layer/changes /layer/work &&
    $bb mount -t overlay -o lowerdir=/host,upperdir=/layer/changes,workdir=/layer/work overlay /guest ||
    {
        echo "rlvs vm: no root file system"
        $bb poweroff -f
    }

for directory in proc sys dev; do
    $bb mount --move /$directory /guest/$directory
done
$bb mount -t tmpfs tmpfs /guest/run
$bb mkdir /guest/run/rlvs-vm
$bb cp /job/* /bin/busybox /guest/run/rlvs-vm/
exec $bb switch_root /guest /bin/bash /run/rlvs-vm/guest
