//! The machine, and the one CPU of it that everything runs on.

use std::fs;

use anyhow::{Context, Result};
use rustix::system::uname;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::{Deserialize, Serialize};

#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Machine {
    /// Model.
    pub(crate) processor: String,
    pub(crate) kernel: String,
    /// Which CPU the programs ran on.
    pub(crate) cpu: usize,
}

impl Machine {
    /// Stays on this CPU, or on the last one there is.
    pub(crate) fn pinned(cpu: Option<usize>) -> Result<Self> {
        let allowed = sched_getaffinity(None)?;
        let last = || (0..CpuSet::MAX_CPU).rev().find(|&cpu| allowed.is_set(cpu));
        let cpu = cpu.or_else(last).context("no CPU")?;
        let mut only = CpuSet::new();
        only.set(cpu);
        sched_setaffinity(None, &only).with_context(|| format!("CPU {cpu}"))?;
        let kernel = uname().release().to_string_lossy().into_owned();
        Ok(Self {
            processor: processor()?,
            kernel,
            cpu,
        })
    }
}

fn processor() -> Result<String> {
    let text = fs::read_to_string("/proc/cpuinfo")?;
    let model = text
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model
        .and_then(|rest| rest.split_once(':'))
        .map(|(_, name)| name.trim());
    Ok(model.unwrap_or("unknown processor").to_owned())
}
