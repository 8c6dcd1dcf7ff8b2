//! How draining goes: on a terminal one line that is written anew, else a line for each change.

use std::io::{self, IsTerminal as _, Write as _};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, bail};
use rlvs_control::drain::{Drains, End, EndedDrain, RunningDrain};
use rlvs_control::{Client, Code};

use super::which::Place;
use super::{counts, left, place};

const PERIOD: Duration = Duration::from_millis(500);

/// Says how it goes until none of `places` is drained any more; fails if one was kept.
pub(super) fn until_ended(client: &mut Client, places: &[Place]) -> Result<()> {
    let mut line = Line::new();
    let mut waiting = places.to_vec();
    let mut kept = false;
    while !waiting.is_empty() {
        let drains = match client.drains() {
            Ok(drains) => drains,
            // It goes on where it was when it is back.
            Err(error) if error.code == Code::NotRunning => {
                line.show("no director runs; forwarding goes on", "")?;
                sleep(PERIOD);
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let running = of(&drains.running, &waiting);
        let (still, over): (Vec<_>, Vec<_>) = waiting
            .into_iter()
            .partition(|it| running.iter().any(|drain| place(drain) == *it));
        for place in over {
            let end = last(&drains, place);
            kept |= end.is_some_and(|end| end.end == End::Cancelled);
            line.say(&outcome(place, end))?;
        }
        if let Some((changing, time)) = present(&running) {
            line.show(&changing, &time)?;
            sleep(PERIOD);
        }
        waiting = still;
    }
    match kept {
        true => bail!("it was not drained to the end"),
        false => Ok(()),
    }
}

fn of<'d>(running: &'d [RunningDrain], places: &[Place]) -> Vec<&'d RunningDrain> {
    let is_ours = |drain: &&RunningDrain| places.contains(&place(drain));
    running.iter().filter(is_ours).collect()
}

fn last(drains: &Drains, (service, destination): Place) -> Option<&EndedDrain> {
    let mut latest_first = drains.ended.iter().rev();
    latest_first.find(|it| it.service == service && it.destination == destination)
}

/// The counts, and the time left.
fn present(running: &[&RunningDrain]) -> Option<(String, String)> {
    let first = running.first()?;
    let sum = |of: fn(&RunningDrain) -> u32| running.iter().map(|it| of(it)).sum();
    let counts = counts(
        sum(|it| it.active_connections),
        sum(|it| it.inactive_connections),
    );
    let whose = match running.len() {
        1 => format!("{} of {}", first.destination, first.service),
        many => format!("{} in {many} places", first.destination.address),
    };
    Some((format!("{whose}: {counts}"), left(&first.draining)))
}

fn outcome((service, destination): Place, end: Option<&EndedDrain>) -> String {
    let what = match end.map(|end| end.end) {
        Some(End::Empty) => "removed, no connection was left",
        Some(End::Deadline) => "removed at the deadline",
        Some(End::Cancelled) => "is kept: it takes connections again",
        Some(End::Deleted) => "removed by another command",
        None => "is gone; the director was started anew meanwhile",
    };
    let cut = end.map_or_else(String::new, cut);
    format!("{destination} of {service}: {what}{cut}")
}

/// The connections with which it was removed.
fn cut(end: &EndedDrain) -> String {
    let left = (end.active_connections, end.inactive_connections);
    match (end.end, left) {
        (End::Deadline | End::Deleted, (active, inactive)) if left != (0, 0) => {
            format!(", with {}", counts(active, inactive))
        }
        _ => String::new(),
    }
}

/// The line that is written anew.
struct Line {
    terminal: bool,
    last: String,
}

impl Line {
    fn new() -> Self {
        Self {
            terminal: io::stdout().is_terminal(),
            last: String::new(),
        }
    }

    /// `changing`, and on a terminal `passing` as well, which is no change.
    fn show(&mut self, changing: &str, passing: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.terminal {
            write!(out, "\r{changing}{passing}\x1b[K")?;
        } else if self.last != changing {
            writeln!(out, "{changing}{passing}")?;
        }
        changing.clone_into(&mut self.last);
        out.flush()
    }

    /// A line that stays.
    fn say(&mut self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.terminal {
            write!(out, "\r\x1b[K")?;
        }
        writeln!(out, "{text}")?;
        out.flush()
    }
}

#[cfg(test)]
mod tests {
    use rlvs_control::drain::Draining;
    use rlvs_control::{DestinationKey, Protocol, ServiceKey};

    use super::*;

    #[test]
    fn what_is_left_and_how_it_ended_is_said() {
        let one = running(80, 3);
        let (line, time) = present(&[&one]).unwrap();
        assert_eq!(
            line + &time,
            "10.0.0.5:80 of TCP 192.0.2.1:80: 3 active, 2 inactive connections, 4m 10s left"
        );
        let other = running(81, 1);
        let (line, _) = present(&[&one, &other]).unwrap();
        assert_eq!(
            line,
            "10.0.0.5 in 2 places: 4 active, 4 inactive connections"
        );
        assert_eq!(present(&[]), None);
        let ended = EndedDrain {
            service: one.service,
            destination: one.destination,
            end: End::Deadline,
            active_connections: 7,
            inactive_connections: 1,
            seconds_ago: 0,
        };
        assert_eq!(
            outcome(place(&one), Some(&ended)),
            "10.0.0.5:80 of TCP 192.0.2.1:80: removed at the deadline, with 7 active, 1 \
             inactive connections"
        );
    }

    fn running(port: u16, active: u32) -> RunningDrain {
        RunningDrain {
            service: ServiceKey::Address {
                protocol: Protocol::Tcp,
                address: [192, 0, 2, 1].into(),
                port,
            },
            destination: DestinationKey {
                address: [10, 0, 0, 5].into(),
                port: 80,
            },
            draining: Draining {
                seconds: 50,
                seconds_left: Some(250),
                keeps_clients: false,
                weight: 1,
            },
            active_connections: active,
            inactive_connections: 2,
            persistent_connections: 0,
        }
    }
}
