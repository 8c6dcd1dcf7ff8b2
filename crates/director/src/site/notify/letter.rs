//! What people are told by mail, in keepalived's words.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use humantime::format_rfc3339_seconds;
use rlvs_check::machine::Event;
use rlvs_config::model::VirtualServer;

use super::{Cause, names};

/// Lines of a letter about many changes; more are counted.
const LINES: usize = 500;

/// One change, or several together.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Letter {
    /// Without the name of the machine.
    pub(super) subject: String,
    pub(super) body: String,
    pub(super) at: SystemTime,
}

impl Letter {
    /// None, if nobody wants to know by mail.
    pub(super) fn new(
        server: &VirtualServer,
        event: &Event,
        cause: Option<&Cause>,
        at: SystemTime,
    ) -> Option<Self> {
        let service = names::service(server)?;
        let real = |place: &usize| {
            let wants = server.real.get(*place)?.smtp_alert;
            wants.then(|| names::real(server, *place)).flatten()
        };
        let of_real = |place, state| {
            let real = real(place)?;
            Some(format!(
                "Realserver {real} of virtual server {service} - {state}"
            ))
        };
        let of_service = |state| {
            let subject = || format!("Virtualserver {service} - {state}");
            server.smtp_alert.then(subject)
        };
        let subject = match event {
            Event::ServerUp { server } => of_real(server, "UP"),
            Event::ServerDown { server } => of_real(server, "DOWN"),
            Event::QuorumGained { .. } => of_service("UP"),
            Event::QuorumLost { .. } => of_service("DOWN"),
            _ => None,
        }?;
        let body = format!("=> {} <=\n", said(server, event, cause));
        Some(Self { subject, body, at })
    }

    /// Many in one.
    pub(super) fn together(letters: &[Self], lost: u64) -> Self {
        let mut body = String::new();
        for letter in letters.iter().take(LINES) {
            let at = format_rfc3339_seconds(letter.at);
            let _ = writeln!(body, "{at} {} {}", letter.subject, letter.body.trim_end());
        }
        let more = letters.len().saturating_sub(LINES) as u64 + lost;
        if more > 0 {
            let _ = writeln!(body, "and {more} more: the log has them");
        }
        Self {
            subject: format!("{} changes", letters.len() as u64 + lost),
            body,
            at: letters.last().map_or(SystemTime::now(), |last| last.at),
        }
    }

    pub(super) fn is_older(&self, than: Duration) -> bool {
        self.at.elapsed().is_ok_and(|age| age > than)
    }
}

fn said(server: &VirtualServer, event: &Event, cause: Option<&Cause>) -> String {
    let hysteresis = server.policy.hysteresis;
    match event {
        Event::QuorumGained {
            weight,
            threshold,
            start,
        } => {
            let begins = if *start {
                "Starting with quorum up"
            } else {
                "Gained quorum"
            };
            let quorum = threshold.saturating_sub(hysteresis.into());
            format!("{begins} {quorum}+{hysteresis}={threshold} <= {weight}")
        }
        Event::QuorumLost {
            weight,
            threshold,
            start,
        } => {
            let begins = if *start {
                "Starting with quorum down"
            } else {
                "Lost quorum"
            };
            let quorum = threshold + u64::from(hysteresis);
            format!("{begins} {quorum}-{hysteresis}={threshold} > {weight}")
        }
        _ => by_check(event, cause),
    }
}

fn by_check(event: &Event, cause: Option<&Cause>) -> String {
    let is_up = matches!(event, Event::ServerUp { .. });
    let Some(Cause { check, reason }) = cause else {
        let state = if is_up { "up" } else { "down" };
        return format!("It starts {state}");
    };
    let check = check.to_uppercase();
    match reason {
        _ if is_up => format!("{check} CHECK succeeded on service"),
        Some(reason) => format!("{check} CHECK failed on service : {reason}"),
        None => format!("{check} CHECK failed on service"),
    }
}

#[cfg(test)]
mod tests {
    use rlvs_config::Site;

    use super::super::tests::{quorum, site};
    use super::*;

    fn letter(site: &Site, which: usize, event: &Event) -> Option<Letter> {
        let cause = Cause {
            check: "tcp",
            reason: Some("connection refused".into()),
        };
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        Letter::new(&site.services[which], event, Some(&cause), at)
    }

    fn text(site: &Site, which: usize, event: &Event) -> [String; 2] {
        let letter = letter(site, which, event).unwrap();
        [letter.subject, letter.body]
    }

    /// Subjects as keepalived 2.2.7 sends them.
    #[test]
    fn subjects_are_keepaliveds() {
        let site = site();
        let down = Event::ServerDown { server: 0 };
        assert_eq!(
            text(&site, 0, &down),
            [
                "Realserver [10.0.0.1]:tcp:8080 of virtual server [192.0.2.1]:tcp:80 - DOWN",
                "=> TCP CHECK failed on service : connection refused <=\n"
            ]
        );
        assert_eq!(
            text(&site, 0, &Event::ServerUp { server: 0 }),
            [
                "Realserver [10.0.0.1]:tcp:8080 of virtual server [192.0.2.1]:tcp:80 - UP",
                "=> TCP CHECK succeeded on service <=\n"
            ]
        );
        assert_eq!(
            text(&site, 1, &down)[0],
            "Realserver [10.0.0.1]:none:0 of virtual server FWM 7 - DOWN"
        );
        assert_eq!(
            text(&site, 2, &quorum(true)),
            [
                "Virtualserver [shop]:0 - UP",
                "=> Gained quorum 1+0=1 <= 1 <=\n"
            ]
        );
        assert_eq!(
            text(&site, 2, &quorum(false))[1],
            "=> Lost quorum 1-0=1 > 1 <=\n"
        );
    }

    #[test]
    fn who_wants_none_gets_none() {
        let site = site();
        assert_eq!(letter(&site, 0, &quorum(true)), None);
        assert_eq!(letter(&site, 0, &Event::ServerDown { server: 1 }), None);
        assert_eq!(letter(&site, 2, &Event::SorryServerIn), None);
    }

    #[test]
    fn many_are_one_letter() {
        let site = site();
        let one = letter(&site, 0, &Event::ServerDown { server: 0 }).unwrap();
        let many = vec![one; LINES + 2];
        let together = Letter::together(&many, 3);
        assert_eq!(together.subject, "505 changes");
        assert_eq!(together.body.lines().count(), LINES + 1);
        assert_eq!(
            together.body.lines().next(),
            Some(
                "2001-09-09T01:46:40Z Realserver [10.0.0.1]:tcp:8080 of virtual server \
                 [192.0.2.1]:tcp:80 - DOWN => TCP CHECK failed on service : connection refused <="
            )
        );
        assert!(together.body.ends_with("and 5 more: the log has them\n"));
    }
}
