//! Ctrl-C as an error: what waits here polls [`check`], so that an interrupted program unwinds and
//! takes down what it has set up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use anyhow::{Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

/// Exit status of a program that a signal ended, as shells report SIGINT.
pub const STATUS: u8 = 130;

static RAISED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// From now on SIGINT, SIGTERM and SIGHUP are noted; the second one ends the process at once.
pub fn watch() -> Result<()> {
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        flag::register_conditional_shutdown(signal, STATUS.into(), Arc::clone(&RAISED))?;
        flag::register(signal, Arc::clone(&RAISED))?;
    }
    Ok(())
}

/// Whether a signal asked this program to end.
pub fn raised() -> bool {
    RAISED.load(Ordering::Relaxed)
}

/// An error once a signal asked this program to end.
pub fn check() -> Result<()> {
    if raised() {
        bail!("interrupted");
    }
    Ok(())
}
