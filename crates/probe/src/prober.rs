//! The thread in which checks are made.
//!
//! It has a runtime of its own, so that nothing that a check does can hold up the daemon. It holds
//! the checkers; what their state changes to is sent to the daemon.

use core::time::Duration;
use std::sync::Arc;
use std::{io, thread};

use rlvs_check::machine::{Outcome, Probe, ProbeId, Standing};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep_until};

use crate::ready::Answer;
use crate::schedule::{GRID, Schedule};
use crate::through::Ways;

/// Files that are left to the rest of the daemon.
const FILES_KEPT: u64 = 256;

/// The thread in which checks are made; it ends when this is dropped.
#[derive(Debug)]
pub struct Prober {
    commands: UnboundedSender<Command>,
}

/// A check that begins.
#[derive(Clone, Debug)]
pub struct Task {
    pub id: ProbeId,
    pub probe: Arc<Probe>,
    pub standing: Standing,
    /// False: it is not made until further notice.
    pub active: bool,
    /// Who sends packets by way of the virtual address, if the probe is to take that
    /// ([`Probe::through`]).
    pub ways: Option<Arc<dyn Ways>>,
}

/// What a check came to that someone may want to know.
#[derive(Clone, Debug)]
pub struct Report {
    pub id: ProbeId,
    /// What is known of the target now.
    pub standing: Standing,
    /// It is another than before; else this is for the log.
    pub changed: bool,
    /// Why, if it was no success.
    pub reason: Option<String>,
}

#[derive(Debug)]
enum Command {
    Start(Vec<Task>),
    Stop(Vec<ProbeId>),
    Activity(Vec<(ProbeId, bool)>),
}

impl Prober {
    /// Starts the thread, and lets the process open as many files as it may.
    pub fn start() -> io::Result<(Self, UnboundedReceiver<Report>)> {
        let most = raise_file_limit().saturating_sub(FILES_KEPT).max(1);
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (commands, inbox) = unbounded_channel();
        let (outbox, reports) = unbounded_channel();
        let schedule = Schedule::new(usize::try_from(most).unwrap_or(usize::MAX));
        thread::Builder::new()
            .name("checks".into())
            .spawn(move || runtime.block_on(run(schedule, inbox, outbox)))?;
        Ok((Self { commands }, reports))
    }

    /// These checks begin.
    pub fn add(&self, tasks: Vec<Task>) {
        self.send(Command::Start(tasks));
    }

    /// These end, also those that are being made.
    pub fn remove(&self, ids: Vec<ProbeId>) {
        self.send(Command::Stop(ids));
    }

    /// These are made from now on, or not.
    pub fn set_active(&self, activity: Vec<(ProbeId, bool)>) {
        self.send(Command::Activity(activity));
    }

    fn send(&self, command: Command) {
        // The thread ends only when this is dropped.
        let _ = self.commands.send(command);
    }
}

async fn run(
    mut schedule: Schedule,
    mut inbox: UnboundedReceiver<Command>,
    outbox: UnboundedSender<Report>,
) {
    let clock = Clock::new();
    let (answers, mut answered) = unbounded_channel();
    let mut batch = Vec::with_capacity(256);
    loop {
        schedule.start(clock.now(), &answers);
        let next = schedule.next().map(|due| clock.instant(due));
        tokio::select! {
            command = inbox.recv() => match command {
                Some(command) => carry_out(&mut schedule, command, clock.now()),
                None => return,
            },
            _ = answered.recv_many(&mut batch, 256) => {}
            () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
        }
        for answer in batch.drain(..) {
            report(&mut schedule, answer, clock.now(), &outbox);
        }
    }
}

fn carry_out(schedule: &mut Schedule, command: Command, now: Duration) {
    match command {
        Command::Start(tasks) => tasks.into_iter().for_each(|task| schedule.add(task, now)),
        Command::Stop(ids) => ids.into_iter().for_each(|id| schedule.remove(id)),
        Command::Activity(activity) => {
            for (id, active) in activity {
                schedule.set_active(id, active);
            }
        }
    }
}

fn report(
    schedule: &mut Schedule,
    Answer { id, outcome }: Answer,
    now: Duration,
    outbox: &UnboundedSender<Report>,
) {
    let Some((heard, standing)) = schedule.hear(id, &outcome, now) else {
        return;
    };
    if !heard.changed && !heard.log {
        return;
    }
    let reason = match outcome {
        Outcome::Success(_) => None,
        Outcome::Failure(reason) | Outcome::NotMade(reason) => Some(reason),
    };
    let _ = outbox.send(Report {
        id,
        standing: standing.clone(),
        changed: heard.changed,
        reason,
    });
}

/// Time since the machine's start, which standings that outlive the daemon are counted from.
struct Clock {
    start: Instant,
    at_start: Duration,
}

impl Clock {
    fn new() -> Self {
        let time = clock_gettime(ClockId::Boottime);
        let at_start = Duration::new(time.tv_sec as u64, time.tv_nsec as u32);
        Self {
            start: Instant::now(),
            at_start,
        }
    }

    fn now(&self) -> Duration {
        self.at_start + self.start.elapsed()
    }

    /// The end of the time that this lies in.
    fn instant(&self, time: Duration) -> Instant {
        let since = time.saturating_sub(self.at_start).as_millis() as u64;
        let grid = GRID.as_millis() as u64;
        self.start + Duration::from_millis((since / grid + 1) * grid)
    }
}

/// As many as the system lets this process have.
fn raise_file_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    current.unwrap_or(u64::MAX)
}
