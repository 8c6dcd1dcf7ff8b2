//! The lab itself: a name, a directory, and the warden that removes both.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};

use anyhow::{Context, Result, bail, ensure};

use crate::warden::{self, Warden};

/// A set of hosts and segments. Clones are the same lab, which ends with the last of them.
#[derive(Clone, Debug)]
pub struct Lab {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    name: String,
    directory: PathBuf,
    warden: Mutex<Warden>,
    kept: AtomicBool,
}

impl Lab {
    /// A lab with a name of its own.
    pub fn new() -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        clear_stale_labs_once();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self::named(&format!("rlvs-{}-{number}", process::id()))
    }

    /// A lab whose namespaces are `NAME-HOST`.
    pub fn named(name: &str) -> Result<Self> {
        ensure!(rustix::process::geteuid().is_root(), "a lab needs root");
        let directory = warden::directory(name);
        if warden::exists(name) {
            bail!("there is a lab named {name} already");
        }
        fs::create_dir_all(directory.join("bin"))
            .with_context(|| format!("cannot create {}", directory.display()))?;
        let warden = Warden::start(name)?.into();
        let inner = Inner {
            name: name.to_owned(),
            directory,
            warden,
            kept: AtomicBool::new(false),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Leaves everything in place, programs too; [`warden::remove`] ends it.
    pub fn keep(&self) -> Result<()> {
        self.inner.kept.store(true, Ordering::Relaxed);
        let warden = self.inner.warden.lock();
        warden.unwrap_or_else(PoisonError::into_inner).dismiss()
    }

    /// Whether this lab outlives its owner.
    pub(crate) fn kept(&self) -> bool {
        self.inner.kept.load(Ordering::Relaxed)
    }

    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// For logs, configurations and links; removed with the lab.
    pub fn directory(&self) -> &Path {
        &self.inner.directory
    }

    /// Links `rlvs` and the three names of `ipvsadm`, which are one program, into the lab's `bin`.
    pub fn install_rlvs(&self, binary: &Path) -> Result<()> {
        for name in ["rlvs", "ipvsadm", "ipvsadm-save", "ipvsadm-restore"] {
            let link = self.directory().join("bin").join(name);
            if !link.exists() {
                symlink(binary, &link).with_context(|| link.display().to_string())?;
            }
        }
        Ok(())
    }
}

fn clear_stale_labs_once() {
    static CLEARED: Once = Once::new();
    CLEARED.call_once(|| {
        if let Err(error) = warden::remove_stale() {
            eprintln!("cannot remove an old lab: {error:#}");
        }
    });
}
