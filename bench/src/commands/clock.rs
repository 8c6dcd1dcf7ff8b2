//! How long a program takes, and how much memory it and the director have meanwhile.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// One run, or the median of some; the most memory of all of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    pub(super) time: Duration,
    /// KiB of the program at its peak.
    pub(super) memory: u64,
    /// KiB by which the director's own memory had grown at its peak.
    pub(super) grown: u64,
    /// False: it was ended when its time was over.
    pub(super) finished: bool,
}

impl Measured {
    pub(super) fn median(mut runs: Vec<Self>) -> Self {
        runs.sort_by_key(|run| run.time);
        let most = |of: fn(&Self) -> u64| runs.iter().map(of).max().unwrap_or(0);
        Self {
            time: runs[runs.len() / 2].time,
            memory: most(|run| run.memory),
            grown: most(|run| run.grown),
            finished: runs.iter().all(|run| run.finished),
        }
    }
}

/// Runs `command` with `input`, for so long at most; what it prints goes to the file `output`. An error
/// if it fails.
pub(super) fn run(
    command: &mut Command,
    input: Option<&Path>,
    output: &Path,
    director: Option<u32>,
    limit: Duration,
) -> Result<Measured> {
    let stdin = match input {
        Some(path) => File::open(path)?.into(),
        None => Stdio::null(),
    };
    command.stdin(stdin).stdout(File::create(output)?);
    let own = || director.map_or(0, |pid| status(pid, "RssAnon:"));
    let (before, mut memory, mut most) = (own(), 0, 0);
    let begun = Instant::now();
    let mut child = command.spawn().with_context(|| format!("{command:?}"))?;
    let ended = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if begun.elapsed() >= limit {
            child.kill()?;
            child.wait()?;
            break None;
        }
        memory = memory.max(status(child.id(), "VmHWM:"));
        most = most.max(own());
        thread::sleep(LOOK);
    };
    let time = begun.elapsed();
    if let Some(status) = ended {
        ensure!(status.success(), "{command:?}: {status}");
    }
    Ok(Measured {
        finished: ended.is_some(),
        time,
        memory,
        grown: most.saturating_sub(before),
    })
}

/// A line of /proc/PID/status in KiB; 0 of a process that has ended.
fn status(pid: u32, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|rest| rest.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}
