//! Running a program to its end: bounded in time, stopped by Ctrl-C, its output kept for the error.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{iter, thread};

use anyhow::{Context, Result, bail};

use crate::{interrupt, vm};

const TICK: Duration = Duration::from_millis(5);

/// A program that has ended.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The command as a person would type it.
    pub line: String,
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    /// Standard output of a program that succeeded; else an error with all it said.
    pub fn success(self) -> Result<String> {
        if self.status.success() {
            return Ok(self.stdout);
        }
        bail!(
            "{}: {}\n{}{}",
            self.line,
            self.status,
            self.stdout,
            self.stderr
        )
    }
}

/// Runs `command`; kills it after `limit`.
///
/// Output goes to unnamed files, not pipes: a grandchild that lives on with them blocks nobody.
pub fn finish(command: &mut Command, limit: Duration) -> Result<Finished> {
    let line = line(command);
    let (mut stdout, mut stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(stdout.try_clone()?)
        .stderr(stderr.try_clone()?)
        .spawn()
        .with_context(|| line.clone())?;
    let ended = wait(&mut child, limit, |_| ());
    let (stdout, stderr) = (text(&mut stdout)?, text(&mut stderr)?);
    let status = ended.with_context(|| format!("{line}\n{stdout}{stderr}"))?;
    Ok(Finished {
        line,
        status,
        stdout,
        stderr,
    })
}

/// Waits for `child`, telling `tick` now and then how long; kills it after `limit` or on Ctrl-C.
pub fn wait(
    child: &mut Child,
    limit: Duration,
    mut tick: impl FnMut(Duration),
) -> Result<ExitStatus> {
    let (started, limit) = (Instant::now(), vm::patience(limit));
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        let verdict = if started.elapsed() > limit {
            Err(anyhow::anyhow!("not finished after {} s", limit.as_secs()))
        } else {
            interrupt::check()
        };
        if let Err(error) = verdict {
            child.kill()?;
            child.wait()?;
            return Err(error);
        }
        tick(started.elapsed());
        thread::sleep(TICK);
    }
}

/// `command` as a person would type it.
pub fn line(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let program = program.file_name().unwrap_or(program.as_os_str());
    let words = iter::once(program).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

fn text(file: &mut File) -> Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn output_and_status_come_back() {
        let finished = finish(
            &mut shell("echo out; echo err >&2; exit 3"),
            Duration::from_secs(5),
        );
        let finished = finished.unwrap();
        assert_eq!(
            (finished.stdout.as_str(), finished.stderr.as_str()),
            ("out\n", "err\n")
        );
        assert_eq!(finished.status.code(), Some(3));
        assert!(finished.success().unwrap_err().to_string().contains("err"));
    }

    #[test]
    fn the_limit_ends_a_program_whose_children_live_on() {
        let started = Instant::now();
        let error = finish(&mut shell("sleep 3 & sleep 3"), Duration::from_millis(100));
        assert!(error.is_err() && started.elapsed() < Duration::from_secs(2));
    }
}
