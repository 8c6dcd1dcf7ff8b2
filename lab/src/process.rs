//! A program in the background.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::command;
use crate::lab::Lab;
use crate::wait;

const GRACE: Duration = Duration::from_secs(5);

/// A running program; it is told to end when dropped, and its log shown if a test is failing.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    /// Its host ends with the lab.
    lab: Lab,
}

impl Process {
    pub(crate) fn start(lab: &Lab, name: &str, mut command: Command, log: PathBuf) -> Result<Self> {
        let file = File::create(&log).with_context(|| log.display().to_string())?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .process_group(0) // Ctrl-C is for its owner, who ends things in order
            .spawn()
            .with_context(|| command::line(&command))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log,
            lab: lab.clone(),
        })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn log_file(&self) -> &Path {
        &self.log
    }

    /// All it has printed so far.
    pub fn log(&self) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// How it ended, if it has.
    pub fn exited(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Waits until `ready`; an error, with the log, when the program ends before or `limit` passes.
    pub fn wait_until(
        &mut self,
        limit: Duration,
        mut ready: impl FnMut(&Self) -> Result<bool>,
    ) -> Result<()> {
        let ended = wait::until(&format!("{} is ready", self.name), limit, || {
            if let Some(status) = self.exited()? {
                bail!("ended: {status}");
            }
            ready(self)
        });
        ended.with_context(|| format!("{}\n{}", self.name, self.log()))
    }

    /// Waits until the program ends by itself.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.wait_until_ended(limit, |_| ())
    }

    /// As [`Process::wait`], telling `tick` now and then.
    pub fn wait_until_ended(
        &mut self,
        limit: Duration,
        mut tick: impl FnMut(&Self),
    ) -> Result<ExitStatus> {
        wait::until(&format!("{} ends", self.name), limit, || {
            tick(self);
            Ok(self.exited()?.is_some())
        })?;
        self.exited()?.context("a program that ended and runs")
    }

    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        if self.exited()?.is_none() {
            kill_process(Pid::from_child(&self.child), signal)?;
        }
        Ok(())
    }

    /// As a crash: no word of farewell.
    pub fn kill9(&mut self) -> Result<()> {
        self.signal(Signal::KILL)?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks the program to end, and makes it after some seconds.
    pub fn stop(&mut self) -> Result<()> {
        self.signal(Signal::TERM)?;
        let started = std::time::Instant::now();
        while self.exited()?.is_none() {
            if started.elapsed() > GRACE {
                return self.kill9();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.lab.kept() {
            return;
        }
        if let Err(error) = self.stop() {
            eprintln!("cannot stop {}: {error:#}", self.name);
        }
        if std::thread::panicking() {
            eprintln!("--- {}\n{}---", self.name, self.log());
        }
    }
}
