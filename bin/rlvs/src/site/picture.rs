//! A plan as a person reads it: what comes, what goes, what becomes what, in ipvsadm's words.
//!
//! ```text
//! + TCP 192.0.2.1:80         -s wlc -p 300
//!   + 10.0.0.2:80            -m -w 1
//!   TCP 192.0.2.9:80
//!   ~ 10.0.0.3:80            -m -w 1 → -m -w 3
//!   - 10.0.0.4:80
//! - UDP 192.0.2.1:53
//! ```

use std::fmt::Display;

use anstyle::{AnsiColor, Style};
use rlvs_control::site::{AddressStep, Before, Plan, Step, VrrpChange, VrrpStep};
use rlvs_control::{Change, ServiceKey};

use crate::ipvsadm::{Kept, server_options, service_options};

/// Where a line's words begin.
const COLUMN: usize = 28;

const ADD: (char, Style) = ('+', AnsiColor::Green.on_default());
const CHANGE: (char, Style) = ('~', AnsiColor::Yellow.on_default());
const DELETE: (char, Style) = ('-', AnsiColor::Red.on_default());

/// The whole plan; `nothing` is said if it has no steps.
pub(super) fn draw(plan: &Plan, nothing: &str) -> String {
    let mut picture = Picture::default();
    for step in &plan.steps {
        picture.step(step);
    }
    picture.later = true;
    for step in &plan.later {
        picture.step(step);
    }
    for step in &plan.addresses {
        picture.address(step);
    }
    for step in &plan.vrrp {
        picture.vrrp(step);
    }
    let mut text = picture.text;
    if text.is_empty() {
        text = format!("{nothing}\n");
    }
    for key in &plan.taken_over {
        text += &format!("note: {key} was made by hand; it is the file's from then on\n");
    }
    for note in &plan.notes {
        text += &format!("note: {note}\n");
    }
    text
}

#[derive(Default)]
struct Picture {
    text: String,
    /// Whose lines come now.
    service: Option<ServiceKey>,
    /// Of what comes now, when it is back.
    later: bool,
}

impl Picture {
    fn address(&mut self, step: &AddressStep) {
        let mark = if step.comes { ADD } else { DELETE };
        let what = format!("address {}", step.address);
        let on = step.interface.as_ref().map(|name| format!("on {name}"));
        self.line(mark, 0, &what, &on.unwrap_or_default());
    }

    fn vrrp(&mut self, step: &VrrpStep) {
        let (mark, begins) = match step.change {
            VrrpChange::Comes => (ADD, ""),
            VrrpChange::Goes => (DELETE, ""),
            VrrpChange::Changes => (CHANGE, ""),
            VrrpChange::Restarts => (CHANGE, "begins anew; "),
        };
        let words = format!("{begins}{}", step.details.join("; "));
        self.line(mark, 0, &format!("VRRP {}", step.what), &words);
    }

    fn step(&mut self, step: &Step) {
        match &step.change {
            Change::AddService(service) => {
                self.service = Some(service.key);
                self.line(ADD, 0, &service.key, &service_options(service));
            }
            Change::EditService(service) => {
                self.service = Some(service.key);
                let before = match &step.before {
                    Some(Before::Service(before)) => service_options(before),
                    _ => String::new(),
                };
                let words = becomes(&before, &service_options(service));
                self.line(CHANGE, 0, &service.key, &words);
            }
            Change::DeleteService(key) => {
                self.service = None;
                self.line(DELETE, 0, key, "");
            }
            Change::AddDestination {
                service,
                destination,
            } => {
                let words = server_options(destination, Kept::All);
                self.member(*service, ADD, &destination.key, &words);
            }
            Change::EditDestination {
                service,
                destination,
            } => {
                let before = match &step.before {
                    Some(Before::Destination(before)) => server_options(before, Kept::All),
                    _ => String::new(),
                };
                let mut words = becomes(&before, &server_options(destination, Kept::All));
                if self.later {
                    words += " (it is down)";
                }
                self.member(*service, CHANGE, &destination.key, &words);
            }
            Change::DeleteDestination {
                service,
                destination,
            } => self.member(*service, DELETE, destination, ""),
            Change::AddLocalAddress { service, address } => {
                self.member(*service, ADD, &format!("local {address}"), "");
            }
            Change::DeleteLocalAddress { service, address } => {
                self.member(*service, DELETE, &format!("local {address}"), "");
            }
            Change::SetTimeouts { tcp, tcp_fin, udp } => {
                self.service = None;
                let words = format!("--set {tcp} {tcp_fin} {udp}");
                self.line(CHANGE, 0, &"timeouts", &words);
            }
            // What a file does not say.
            Change::Flush
            | Change::Drain { .. }
            | Change::Undrain { .. }
            | Change::SetSysctl { .. }
            | Change::StartDaemon(_)
            | Change::StopDaemon(_)
            | Change::Zero { .. } => {}
        }
    }

    /// A line of something in a service, whose own line is before it.
    fn member(
        &mut self,
        service: ServiceKey,
        sign: (char, Style),
        what: &dyn Display,
        words: &str,
    ) {
        if self.service != Some(service) {
            self.service = Some(service);
            self.text += &format!("  {service}\n");
        }
        self.line(sign, 2, what, words);
    }

    fn line(
        &mut self,
        (sign, style): (char, Style),
        depth: usize,
        what: &dyn Display,
        words: &str,
    ) {
        let what = what.to_string();
        let width = COLUMN.saturating_sub(depth + 2);
        let line = format!("{:depth$}{sign} {what:width$} {}", "", words.trim());
        self.text += &format!("{style}{}{style:#}\n", line.trim_end());
    }
}

fn becomes(before: &str, after: &str) -> String {
    format!("{} → {}", before.trim(), after.trim())
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;
    use rlvs_control::{Destination, DestinationKey, ForwardingMethod, Protocol, Service};

    use super::*;

    fn key(port: u16) -> ServiceKey {
        ServiceKey::Address {
            protocol: Protocol::Tcp,
            address: [192, 0, 2, 1].into(),
            port,
        }
    }

    fn service(port: u16, scheduler: &str) -> Service {
        serde_json::from_value(serde_json::json!({
            "key": key(port),
            "scheduler": scheduler,
        }))
        .unwrap()
    }

    fn destination(last: u8, weight: u32) -> Destination {
        Destination {
            key: DestinationKey {
                address: [10, 0, 0, last].into(),
                port: 80,
            },
            method: ForwardingMethod::Masquerade,
            weight,
            upper_threshold: 0,
            lower_threshold: 0,
        }
    }

    fn step(change: Change) -> Step {
        Step {
            change,
            before: None,
        }
    }

    #[test]
    fn a_plan_is_read_at_a_glance() {
        let plan = Plan {
            steps: vec![
                step(Change::DeleteService(key(53))),
                step(Change::AddService(service(80, "wlc"))),
                step(Change::AddDestination {
                    service: key(80),
                    destination: destination(2, 1),
                }),
                Step {
                    change: Change::EditDestination {
                        service: key(443),
                        destination: destination(3, 3),
                    },
                    before: Some(Before::Destination(destination(3, 1))),
                },
                step(Change::DeleteDestination {
                    service: key(443),
                    destination: destination(4, 1).key,
                }),
                Step {
                    change: Change::EditService(service(21, "rr")),
                    before: Some(Before::Service(service(21, "sh"))),
                },
            ],
            later: vec![Step {
                change: Change::EditDestination {
                    service: key(80),
                    destination: destination(5, 3),
                },
                before: Some(Before::Destination(destination(5, 1))),
            }],
            addresses: vec![AddressStep {
                address: "192.0.2.1/32".to_owned(),
                interface: Some("eth0".to_owned()),
                comes: true,
            }],
            vrrp: vec![VrrpStep {
                what: "instance VI_1".into(),
                change: VrrpChange::Restarts,
                details: vec!["router 51 → 52".into(), "priority 100 → 90".into()],
            }],
            taken_over: vec![key(80)],
            notes: vec!["something else".to_owned()],
        };
        let text = draw(&plan, "");
        assert_eq!(
            strip_str(&text).to_string(),
            "\
- TCP 192.0.2.1:53
+ TCP 192.0.2.1:80           -s wlc
  + 10.0.0.2:80              -m -w 1
  TCP 192.0.2.1:443
  ~ 10.0.0.3:80              -m -w 1 → -m -w 3
  - 10.0.0.4:80
~ TCP 192.0.2.1:21           -s sh → -s rr
  TCP 192.0.2.1:80
  ~ 10.0.0.5:80              -m -w 1 → -m -w 3 (it is down)
+ address 192.0.2.1/32       on eth0
~ VRRP instance VI_1         begins anew; router 51 → 52; priority 100 → 90
note: TCP 192.0.2.1:80 was made by hand; it is the file's from then on
note: something else
"
        );
        assert_eq!(draw(&Plan::default(), "nothing"), "nothing\n");
    }
}
