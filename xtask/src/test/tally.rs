//! What passed and what failed, over several runs of cargo.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write, stdout};
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rlvs_lab::command;

use crate::console::{bold, green, red};

/// For one run of cargo, compilation included.
const LIMIT: Duration = Duration::from_secs(3600);

/// Passed and failed checks and tests; the names of runs in which something failed.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    passed: u64,
    failed: u64,
    failures: Vec<String>,
}

/// What is run and counted.
pub(crate) struct Job {
    name: String,
    command: Command,
    /// It passes or fails as a whole; the tests of others are counted.
    is_check: bool,
}

impl Job {
    /// What passes or fails as a whole.
    pub(crate) fn check(name: impl Into<String>, command: Command) -> Self {
        Self {
            name: name.into(),
            command,
            is_check: true,
        }
    }

    /// Test programs.
    pub(crate) fn tests(name: impl Into<String>, command: Command) -> Self {
        Self {
            name: name.into(),
            command,
            is_check: false,
        }
    }

    /// Runs it; whether it succeeded, and what it counts for.
    fn run(mut self, shown: &mut (impl Write + Send)) -> Result<Ran> {
        let (succeeded, mut counts) = run(&self.name, &mut self.command, shown)?;
        if self.is_check {
            counts.passed = u64::from(succeeded);
        }
        Ok(Ran {
            name: self.name,
            succeeded,
            counts,
        })
    }
}

/// How a job ended.
struct Ran {
    name: String,
    succeeded: bool,
    counts: Counts,
}

impl Tally {
    /// Runs jobs one after the other, their output shown as it comes.
    pub(crate) fn run(&mut self, jobs: Vec<Job>) -> Result<()> {
        for job in jobs {
            let ran = job.run(&mut stdout())?;
            self.note(&ran);
        }
        Ok(())
    }

    /// Runs those `in_turn` one after the other, and beside them, and when they are done, the `others`,
    /// so that never more than so many `workers` are at work. The output of each is shown when it ends.
    pub(crate) fn run_beside(
        &mut self,
        workers: usize,
        in_turn: Vec<Job>,
        others: Vec<Job>,
    ) -> Result<()> {
        let in_turn = Mutex::new(VecDeque::from(in_turn));
        let others = Mutex::new(VecDeque::from(others));
        let ended = Mutex::new(Vec::new());
        let work = |queue: &Queue| {
            while let Some(job) = next(queue) {
                let ran = run_aside(job);
                lock(&ended).push(ran);
            }
        };
        thread::scope(|scope| {
            for _ in 1..workers {
                scope.spawn(|| work(&others));
            }
            work(&in_turn);
            work(&others);
        });
        for ran in ended.into_inner().unwrap_or_else(PoisonError::into_inner) {
            self.note(&ran?);
        }
        Ok(())
    }

    /// Counts a check that there is nothing of the kind that `what` says.
    pub(crate) fn nothing(&mut self, what: &str, found: &[String]) {
        for it in found {
            println!("{what}: {it}");
        }
        self.note(&Ran {
            name: what.to_owned(),
            succeeded: found.is_empty(),
            counts: Counts {
                passed: u64::from(found.is_empty()),
                failed: found.len() as u64,
            },
        });
    }

    fn note(&mut self, ran: &Ran) {
        self.passed += ran.counts.passed;
        // What fails without a failed test, for example to compile, is one failure.
        self.failed += match ran.succeeded {
            true => 0,
            false => ran.counts.failed.max(1),
        };
        if !ran.succeeded {
            self.failures.push(ran.name.clone());
        }
    }

    /// Prints the closing lines; a failure where there was one.
    pub(crate) fn finish(self) -> ExitCode {
        println!();
        for name in &self.failures {
            println!("{} {name}", red("failed:"));
        }
        println!("{} passed, {} failed", self.passed, self.failed);
        if self.failed == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Counts {
    passed: u64,
    failed: u64,
}

type Queue = Mutex<VecDeque<Job>>;

fn next(queue: &Queue) -> Option<Job> {
    lock(queue).pop_front()
}

/// Runs it, and shows its output at the end.
fn run_aside(job: Job) -> Result<Ran> {
    println!("{}", bold(&format!("── {}: begins", job.name)));
    let mut output = Vec::new();
    let ran = job.run(&mut output);
    let _ = stdout().write_all(&output);
    ran
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `command`, its output shown as it comes; whether it succeeded, and its tests.
fn run(
    name: &str,
    command: &mut Command,
    shown: &mut (impl Write + Send),
) -> Result<(bool, Counts)> {
    let title = bold(&format!("── {name}:"));
    writeln!(shown, "\n{title} {}", command::line(command))?;
    let started = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take().context("a child without output")?;
    let (status, counts) = thread::scope(|scope| {
        let reader = scope.spawn(|| show_and_count(output, &mut *shown));
        let status = command::wait(&mut child, LIMIT, |_| ());
        (status, reader.join().unwrap_or_default())
    });
    let status = status?;
    let word = if status.success() {
        green("done")
    } else {
        red("failed")
    };
    let seconds = started.elapsed().as_secs_f32();
    writeln!(shown, "── {name}: {word} in {seconds:.1} s")?;
    Ok((status.success(), counts))
}

fn show_and_count(output: impl Read, shown: &mut impl Write) -> Counts {
    let mut counts = Counts::default();
    let mut lines = BufReader::new(output).split(b'\n');
    while let Some(Ok(line)) = lines.next() {
        // A closed standard output does not end the tests.
        let _ = shown.write_all(&[&line[..], b"\n"].concat());
        if let Some(more) = summary(&String::from_utf8_lossy(&line)) {
            counts.passed += more.passed;
            counts.failed += more.failed;
        }
    }
    counts
}

/// The numbers in `test result: ok. 3 passed; 0 failed; ...`.
fn summary(line: &str) -> Option<Counts> {
    let (_, numbers) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let number = |word: &str| {
        let part = numbers.split("; ").find(|part| part.ends_with(word))?;
        part.split(' ').next()?.parse().ok()
    };
    Some(Counts {
        passed: number("passed")?,
        failed: number("failed")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESULT: &str = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; \
                          0 filtered out; finished in 0.10s";

    #[test]
    fn summaries_are_read() {
        assert_eq!(
            summary(RESULT),
            Some(Counts {
                passed: 12,
                failed: 3
            })
        );
        assert_eq!(summary("test result::parse ... ok"), None);
    }

    #[test]
    fn a_run_that_fails_without_a_failed_test_is_one_failure() {
        let mut tally = Tally::default();
        for (succeeded, passed, failed) in [(false, 0, 0), (false, 4, 2), (true, 5, 0)] {
            tally.note(&Ran {
                name: String::new(),
                succeeded,
                counts: Counts { passed, failed },
            });
        }
        assert_eq!((tally.passed, tally.failed), (9, 3));
    }
}
