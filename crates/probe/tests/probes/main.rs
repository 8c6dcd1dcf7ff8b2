//! Each kind of check against small servers on this machine: good ones, and bad ones.

mod databases;
mod dns;
mod grpc;
mod http;
mod mail;
mod mysql;
mod nginx;
mod ping;
mod schedule;
mod script;
mod server;
mod tcp;
mod through;
mod tls;
mod udp;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rlvs_check::machine::{Adjust, Probe, ProbeId, Standing};
use rlvs_check::spec::{Check, Connect, Kind, Options};
use rlvs_probe::{Prober, Report, Task};

/// What a check came to.
#[derive(Debug, PartialEq)]
enum Came {
    Up(Adjust),
    Down(String),
    /// It could not be made.
    NotMade(String),
}

fn options() -> Options {
    Options {
        // Long enough for a busy machine: only servers that never answer take all of it.
        connect_timeout: Some(Duration::from_secs(1)),
        warmup: Some(Duration::ZERO),
        ..Options::default()
    }
}

fn check(kind: Kind) -> Check {
    Check::new(kind, Connect::default(), &options())
}

/// Asks once.
async fn ask(kind: Kind, target: SocketAddr) -> Came {
    ask_by(check(kind), target).await
}

async fn ask_by(check: Check, target: SocketAddr) -> Came {
    let (prober, mut reports) = Prober::start().unwrap();
    prober.add(vec![task(0, check, target)]);
    came(reports.recv().await.unwrap())
}

fn task(id: u64, check: Check, target: SocketAddr) -> Task {
    let standing = Standing::new(&check.timing);
    Task {
        id: ProbeId(id),
        probe: Arc::new(Probe {
            check: Arc::new(check),
            target,
            through: None,
        }),
        standing,
        active: true,
        ways: None,
    }
}

fn came(report: Report) -> Came {
    let reason = report.reason.clone();
    match (report.changed, report.standing.up) {
        (true, true) => Came::Up(report.standing.adjust),
        (true, false) => Came::Down(reason.unwrap_or_default()),
        (false, _) => Came::NotMade(reason.unwrap_or_default()),
    }
}

const UP: Came = Came::Up(Adjust::Keep);

#[track_caller]
fn assert_down(came: Came, reason: &str) {
    match came {
        Came::Down(words) => assert!(words.contains(reason), "{words:?} does not say {reason:?}"),
        other => panic!("{other:?} is not down"),
    }
}

#[track_caller]
fn assert_not_made(came: Came, reason: &str) {
    match came {
        Came::NotMade(words) => assert!(words.contains(reason), "{words:?}, not {reason:?}"),
        other => panic!("{other:?} was made"),
    }
}
