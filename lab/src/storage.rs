//! A host that has files for others: the kernel's NFS server, version 4 alone.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::host::Host;
use crate::process::Process;
use crate::vm;

const READY: Duration = Duration::from_secs(60);

/// A host that exports a directory to its segment.
#[derive(Debug)]
pub struct Storage {
    pub host: Host,
    server: Process,
}

impl Storage {
    /// In the emulated machine alone: the server is the kernel's, and goes with it.
    pub fn start(host: Host) -> Result<Self> {
        ensure!(vm::inside(), "the NFS server would be this machine's own");
        let directory = host.directory()?.join("content");
        fs::create_dir_all(&directory)?;
        let shown = directory.display();
        // Layers of file systems, which the guest's root is, cannot be exported.
        host.shell(&format!("modprobe nfsd && mount -t tmpfs content {shown}"))?;
        let segment = format!("{}/24", host.address().v4);
        let words = ["--mount", "bash", "-ec", SERVE, "serve", &segment];
        let words = words.map(str::to_owned).into_iter();
        let mut server = host.spawn("nfs", "unshare", words.chain([shown.to_string()]))?;
        let check = "ss -Hltn sport = 2049";
        server.wait_until(READY, |_| Ok(!host.shell(check)?.is_empty()))?;
        Ok(Self { host, server })
    }

    /// The directory that is exported.
    pub fn content(&self) -> Result<PathBuf> {
        Ok(self.host.directory()?.join("content"))
    }

    /// What mounts it elsewhere. A change is seen there within a second.
    pub fn mount_line(&self, at: &std::path::Path) -> String {
        let options = "ro,soft,actimeo=1";
        format!(
            "mount -t nfs4 -o {options} {}:/ {}",
            self.host.address().v4,
            at.display()
        )
    }

    /// Once nobody has it mounted any more.
    pub fn end(mut self) -> Result<()> {
        self.server.stop()?;
        let content = self.content()?;
        self.host.run("umount", [content]).map(drop)
    }
}

/// `$1` may have the directory `$2`. The file system by which the server is asked belongs to the
/// namespace that mounts it.
const SERVE: &str = "
    mount -t nfsd nfsd /proc/fs/nfsd
    mkdir -p /var/lib/nfs/v4recovery
    : >/var/lib/nfs/etab
    exportfs -o rw,no_root_squash,fsid=0,no_subtree_check \"$1:$2\"
    rpc.nfsd --no-nfs-version 3 --no-udp --grace-time 10 --lease-time 10 2
    rpc.mountd --no-nfs-version 2 --no-nfs-version 3 --foreground &
    trap 'rpc.nfsd 0; kill $!; exit' TERM
    wait
";
