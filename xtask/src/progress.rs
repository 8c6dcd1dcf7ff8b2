//! A long step: what is being done, for how long, and the last thing it said.
//!
//! On a terminal that is one line that changes; in a log it is a line now and then. The whole
//! output is shown only where the step fails.

use std::fs::File;
use std::io::{IsTerminal, Seek, Write, stderr};
use std::os::unix::fs::FileExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rlvs_lab::command;

use crate::console::{dim, green, red};

const IN_A_LOG: Duration = Duration::from_secs(15);
const ON_A_TERMINAL: Duration = Duration::from_millis(200);
const TAIL: usize = 400;
const WIDTH: usize = 100;

/// Does `step`, for which one line is shown.
pub(crate) fn step<T>(what: &str, step: impl FnOnce(&mut Line) -> Result<T>) -> Result<T> {
    let mut line = Line::new(what);
    let result = step(&mut line);
    line.end(result.is_ok());
    result
}

/// Runs `command`; an error, with all it printed, unless it succeeds within `limit`.
pub(crate) fn run(what: &str, command: &mut Command, limit: Duration) -> Result<()> {
    let mut log = tempfile::tempfile()?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log.try_clone()?)
        .spawn()
        .with_context(|| command::line(command))?;
    let mut line = Line::new(what);
    let ended = command::wait(&mut child, limit, |_| line.update(|| last_line(&log)));
    let succeeded = ended.as_ref().is_ok_and(|status| status.success());
    line.end(succeeded);
    if !succeeded {
        log.rewind()?;
        std::io::copy(&mut log, &mut stderr())?;
    }
    let status = ended.with_context(|| command::line(command))?;
    if !succeeded {
        bail!("{}: {status}", command::line(command));
    }
    Ok(())
}

/// The line of a step that is under way.
pub(crate) struct Line {
    what: String,
    started: Instant,
    shown: Instant,
    terminal: bool,
}

impl Line {
    pub(crate) fn new(what: &str) -> Self {
        let now = Instant::now();
        let line = Self {
            what: what.to_owned(),
            started: now,
            shown: now,
            terminal: stderr().is_terminal(),
        };
        line.show("");
        line
    }

    /// Shows the time that has passed, with a detail, if it is long since it was shown.
    pub(crate) fn update(&mut self, detail: impl FnOnce() -> String) {
        let pause = if self.terminal {
            ON_A_TERMINAL
        } else {
            IN_A_LOG
        };
        if self.shown.elapsed() >= pause {
            self.shown = Instant::now();
            self.show(&detail());
        }
    }

    fn show(&self, detail: &str) {
        let seconds = self.started.elapsed().as_secs();
        let room = WIDTH.saturating_sub(self.what.chars().count() + 10);
        let detail: String = detail.chars().take(room).collect();
        let text = format!("{} … {seconds} s  {}", self.what, dim(&detail));
        self.print(text.trim_end(), if self.terminal { "" } else { "\n" });
    }

    pub(crate) fn end(&self, succeeded: bool) {
        let word = if succeeded {
            green("done")
        } else {
            red("failed")
        };
        let seconds = self.started.elapsed().as_secs_f32();
        self.print(&format!("{}: {word} in {seconds:.1} s", self.what), "\n");
    }

    fn print(&self, text: &str, end: &str) {
        let start = if self.terminal { "\r\x1b[K" } else { "" };
        // A closed standard error is no reason to stop the step.
        let _ = write!(stderr(), "{start}{text}{end}").and_then(|()| stderr().flush());
    }
}

/// Read by position: the child writes at the offset that it shares with this file.
fn last_line(log: &File) -> String {
    let length = log.metadata().map_or(0, |metadata| metadata.len());
    let mut text = [0; TAIL];
    let read = log
        .read_at(&mut text, length.saturating_sub(TAIL as u64))
        .unwrap_or(0);
    let text = String::from_utf8_lossy(&text[..read]);
    text.lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("")
        .trim()
        .to_owned()
}
