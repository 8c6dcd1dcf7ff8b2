//! Waiting for what must happen soon.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::{interrupt, vm};

const TICK: Duration = Duration::from_millis(20);

/// Asks `condition` again and again until it holds; an error after `limit`.
pub fn until(
    what: &str,
    limit: Duration,
    mut condition: impl FnMut() -> Result<bool>,
) -> Result<()> {
    let (started, limit) = (Instant::now(), vm::patience(limit));
    while !condition()? {
        if started.elapsed() > limit {
            bail!("not within {} s: {what}", limit.as_secs_f32());
        }
        interrupt::check()?;
        thread::sleep(TICK);
    }
    Ok(())
}
