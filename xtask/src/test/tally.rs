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

impl Tally {
    /// Runs what passes or fails as a whole.
    pub(crate) fn check(&mut self, name: &str, command: &mut Command) -> Result<()> {
        let (succeeded, _) = run(name, command, &mut stdout())?;
        self.note(
            name,
            succeeded,
            Counts {
                passed: u64::from(succeeded),
                failed: 0,
            },
        );
        Ok(())
    }

    /// Runs test programs, and counts their tests.
    pub(crate) fn tests(&mut self, name: &str, command: &mut Command) -> Result<()> {
        let (succeeded, counts) = run(name, command, &mut stdout())?;
        self.note(name, succeeded, counts);
        Ok(())
    }

    /// The same of many: those `in_turn` one after the other, and beside them, and when they are done,
    /// the `others`, so that never more than so many `workers` are at work. The output of each is shown
    /// when it ends.
    pub(crate) fn tests_beside(
        &mut self,
        workers: usize,
        in_turn: Vec<(String, Command)>,
        others: Vec<(String, Command)>,
    ) -> Result<()> {
        let in_turn = Mutex::new(VecDeque::from(in_turn));
        let others = Mutex::new(VecDeque::from(others));
        let ended = Mutex::new(Vec::new());
        let work = |queue: &Queue| {
            while let Some((name, command)) = next(queue) {
                let ran = run_aside(&name, command);
                lock(&ended).push((name, ran));
            }
        };
        thread::scope(|scope| {
            for _ in 1..workers {
                scope.spawn(|| work(&others));
            }
            work(&in_turn);
            work(&others);
        });
        for (name, ran) in ended.into_inner().unwrap_or_else(PoisonError::into_inner) {
            let (succeeded, counts) = ran?;
            self.note(&name, succeeded, counts);
        }
        Ok(())
    }

    /// Counts a check that there is nothing of the kind that `what` says.
    pub(crate) fn nothing(&mut self, what: &str, found: &[String]) {
        for it in found {
            println!("{what}: {it}");
        }
        let (passed, failed) = (u64::from(found.is_empty()), found.len() as u64);
        self.note(what, found.is_empty(), Counts { passed, failed });
    }

    fn note(&mut self, name: &str, succeeded: bool, counts: Counts) {
        self.passed += counts.passed;
        // What fails without a failed test, for example to compile, is one failure.
        self.failed += if succeeded { 0 } else { counts.failed.max(1) };
        if !succeeded {
            self.failures.push(name.to_owned());
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

type Queue = Mutex<VecDeque<(String, Command)>>;

fn next(queue: &Queue) -> Option<(String, Command)> {
    lock(queue).pop_front()
}

/// Runs it, and shows its output at the end.
fn run_aside(name: &str, mut command: Command) -> Result<(bool, Counts)> {
    println!("{}", bold(&format!("── {name}: begins")));
    let mut output = Vec::new();
    let ran = run(name, &mut command, &mut output);
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
        tally.note("one", false, Counts::default());
        tally.note(
            "two",
            false,
            Counts {
                passed: 4,
                failed: 2,
            },
        );
        tally.note(
            "three",
            true,
            Counts {
                passed: 5,
                failed: 0,
            },
        );
        assert_eq!((tally.passed, tally.failed), (9, 3));
    }
}
