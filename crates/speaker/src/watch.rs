//! Scripts, files and processes that are tracked.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use rlvs_config::model::vrrp::Process;
use rlvs_vrrp::Reading;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::plan::{Init, Subject, Watch, WatchedScript};
use crate::{process, settle};

/// How often a file is read, and processes are counted.
const FILE: Duration = Duration::from_millis(250);
const PROCESS: Duration = Duration::from_millis(500);
/// Of a file.
const LONGEST: u64 = 64;

/// What is found.
pub(crate) type Readings = UnboundedSender<(Subject, Reading)>;

/// What is watched, a task each.
#[derive(Debug, Default)]
pub(crate) struct Watching(Vec<(Watch, JoinHandle<()>)>);

impl Watching {
    /// Watches these from now on; what was watched before goes on.
    pub(crate) fn follow(&mut self, watches: &[Watch], readings: &Readings) {
        self.0.retain(|(watch, task)| {
            let stays = watches.contains(watch);
            if !stays {
                task.abort();
            }
            stays
        });
        for watch in watches {
            if self.0.iter().all(|(it, _)| it != watch) {
                let task = tokio::spawn(keep(watch.clone(), readings.clone()));
                self.0.push((watch.clone(), task));
            }
        }
    }
}

async fn keep(watch: Watch, readings: Readings) {
    let subject = watch.subject();
    match watch {
        Watch::Script(script) => run(&script, &subject, &readings).await,
        Watch::File { path, init, .. } => {
            if let Some(init) = init {
                make(&path, init);
            }
            read(&path, &subject, &readings).await;
        }
        Watch::Process(process) => count(&process, &subject, &readings).await,
    }
}

async fn run(watched: &WatchedScript, subject: &Subject, readings: &Readings) {
    let mut standing = Standing::default();
    if watched.init_fail {
        standing.up = Some(false);
        let _ = readings.send((subject.clone(), Reading::Down));
    }
    let mut ticks = ticking(watched.interval);
    let mut said = None;
    loop {
        ticks.tick().await;
        let outcome = rlvs_probe::run_script(&watched.script, watched.timeout).await;
        let problem = outcome.err();
        if problem != said
            && let Some(reason) = &problem
        {
            tracing::info!(script = watched.name, reason, "failed");
        }
        if let Some(up) = standing.hear(problem.is_none(), watched)
            && readings.send((subject.clone(), reading(up))).is_err()
        {
            return;
        }
        said = problem;
    }
}

/// What is known of a script.
#[derive(Debug, Default)]
struct Standing {
    up: Option<bool>,
    /// How many in a row were otherwise.
    against: u32,
}

impl Standing {
    /// What it is now, if it is another. The first time counts at once.
    fn hear(&mut self, success: bool, watched: &WatchedScript) -> Option<bool> {
        if self.up == Some(success) {
            self.against = 0;
            return None;
        }
        self.against += 1;
        let needed = match (self.up, success) {
            (None, _) => 1,
            (_, true) => watched.rise,
            (_, false) => watched.fall,
        };
        if self.against < needed {
            return None;
        }
        self.against = 0;
        self.up = Some(success);
        self.up
    }
}

/// A file's number; 0 where there is none.
async fn read(path: &Path, subject: &Subject, readings: &Readings) {
    let (mut ticks, mut known) = (ticking(FILE), None);
    loop {
        ticks.tick().await;
        let number = number(path);
        if known.replace(number) != Some(number)
            && readings
                .send((subject.clone(), Reading::Number(number)))
                .is_err()
        {
            return;
        }
    }
}

/// Makes a file with a number, if it is not there, or is to be made anew.
fn make(path: &Path, init: Init) {
    if !init.overwrite && path.exists() {
        return;
    }
    if let Err(error) = fs::write(path, format!("{}\n", init.number)) {
        tracing::warn!(path = %path.display(), %error, "cannot be made");
    }
}

fn number(path: &Path) -> i64 {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(LONGEST).read_to_string(&mut text));
    read.map_or(0, |_| text.trim().parse().unwrap_or(0))
}

async fn count(process: &Process, subject: &Subject, readings: &Readings) {
    let seconds = |time: Option<f64>| settle::seconds(time.unwrap_or(0.0));
    let (starts, ends) = (
        seconds(process.fork_delay),
        seconds(process.terminate_delay),
    );
    let mut ticks = ticking(PROCESS);
    let (mut known, mut other_since) = (None, None);
    loop {
        ticks.tick().await;
        let up = process::is_enough(process, process::count(process));
        if known == Some(up) {
            other_since = None;
            continue;
        }
        let since = *other_since.get_or_insert_with(Instant::now);
        let delay = if up { starts } else { ends };
        if known.is_some() && since.elapsed() < delay {
            continue;
        }
        (known, other_since) = (Some(up), None);
        if readings.send((subject.clone(), reading(up))).is_err() {
            return;
        }
    }
}

fn reading(up: bool) -> Reading {
    if up { Reading::Up } else { Reading::Down }
}

fn ticking(period: Duration) -> tokio::time::Interval {
    let mut ticks = interval(period.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

#[cfg(test)]
mod tests {
    use rlvs_check::spec::Script;

    use super::*;

    #[test]
    fn a_script_rises_and_falls_by_its_numbers() {
        let watched = WatchedScript {
            name: "it".into(),
            script: Script::new(["/bin/true"]),
            interval: FILE,
            timeout: FILE,
            rise: 2,
            fall: 3,
            init_fail: false,
        };
        let mut standing = Standing::default();
        let rows = [
            (true, Some(true)),
            (false, None),
            (false, None),
            (true, None),
            (false, None),
            (false, None),
            (false, Some(false)),
            (true, None),
            (true, Some(true)),
        ];
        for (number, (success, expected)) in rows.into_iter().enumerate() {
            assert_eq!(standing.hear(success, &watched), expected, "{number}");
        }
    }

    #[test]
    fn a_file_has_a_number() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(number(file.path()), 0);
        fs::write(file.path(), " -12\n").unwrap();
        assert_eq!(number(file.path()), -12);
        fs::write(file.path(), [b'9'; 500]).unwrap();
        assert_eq!(number(file.path()), 0);
        assert_eq!(number(Path::new("/nowhere")), 0);
    }
}
