//! What `up` set, and whether it is there.

use std::fmt;
use std::net::IpAddr;

use anyhow::Result;
use rlvs_control::ServiceStatus;
use rlvs_director::desired::{Desired, DesiredService};
use rlvs_host::address::Interface;
use serde::Serialize;

use super::saved::Saved;
use super::{addresses, forwarding};

/// The state of a director's host.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// All checks are right.
    pub(super) right: bool,
    checks: Vec<Check>,
}

/// One thing that should be so.
#[derive(Debug, Serialize)]
struct Check {
    setting: String,
    present: String,
    wanted: String,
    right: bool,
    /// The command that mends it, where it is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<String>,
}

/// `services` are those of the director, if one runs.
pub(super) fn report(
    saved: &Saved,
    desired: &Desired,
    interfaces: &[Interface],
    services: Option<&[ServiceStatus]>,
) -> Result<Report> {
    let mut checks = vec![daemon(services.is_some())];
    for family in forwarding::FAMILIES {
        let mut all = desired.services();
        if all.any(|it| it.service().key.family() == family && needs_forwarding(it)) {
            let on = forwarding::is_on(family)?.unwrap_or(false);
            let name = forwarding::name(family);
            checks.push(
                Check::new(name, u8::from(on).to_string(), "1", on)
                    .or_mend(|| format!("sysctl -w {name}=1")),
            );
        }
    }
    let of_service = |wanted| service(services.unwrap_or_default(), wanted);
    checks.extend(desired.services().map(of_service));
    checks.extend(
        saved
            .vips
            .iter()
            .map(|vip| address(saved, interfaces, *vip)),
    );
    Ok(Report {
        right: checks.iter().all(|check| check.right),
        checks,
    })
}

pub(super) fn needs_forwarding(service: &DesiredService) -> bool {
    let methods = service.destinations().map(|destination| destination.method);
    forwarding::is_needed(&service.service().key, methods)
}

fn daemon(runs: bool) -> Check {
    let present = if runs { "runs" } else { "does not run" };
    Check::new("director", present, "runs", runs).or_mend(|| "rlvs run".into())
}

fn service(present: &[ServiceStatus], wanted: &DesiredService) -> Check {
    let key = &wanted.service().key;
    let found = present.iter().find(|status| status.service.key == *key);
    let count = |number: usize| match number {
        1 => "1 real server".to_owned(),
        number => format!("{number} real servers"),
    };
    let text = found.map_or("missing".to_owned(), |status| {
        let weighted = status
            .destinations
            .iter()
            .filter(|it| it.destination.weight > 0);
        let (all, scheduler) = (status.destinations.len(), &status.service.scheduler);
        match weighted.count() {
            serving if serving == all => format!("{scheduler}, {}", count(all)),
            serving => format!("{scheduler}, {}, {serving} with weight", count(all)),
        }
    });
    let scheduler = &wanted.service().scheduler;
    let given = format!("{scheduler}, {}", count(wanted.destinations().len()));
    Check::new(key.to_string(), text, given, found.is_some())
        .or_mend(|| "rlvs director up, as before".into())
}

/// Put here, it belongs where it was put; else it may be on any interface but `lo`.
fn address(saved: &Saved, interfaces: &[Interface], vip: IpAddr) -> Check {
    let place = addresses::place(interfaces, vip).map(|interface| interface.name.as_str());
    let put = saved.put.get(&vip).map(String::as_str);
    let right = match put {
        Some(put) => place == Some(put),
        None => place.is_some_and(|name| name != "lo"),
    };
    let text = place.map_or("missing".to_owned(), |name| format!("on {name}"));
    let wanted = put.map_or("on this host".to_owned(), |name| format!("on {name}"));
    Check::new(vip.to_string(), text, wanted, right).or_mend(|| match put {
        Some(name) => format!("ip address add {vip} dev {name}"),
        None => "rlvs director up, as before".into(),
    })
}

impl Check {
    fn new(
        setting: impl Into<String>,
        present: impl Into<String>,
        wanted: impl Into<String>,
        right: bool,
    ) -> Self {
        Self {
            setting: setting.into(),
            present: present.into(),
            wanted: wanted.into(),
            right,
            mend: None,
        }
    }

    fn or_mend(mut self, command: impl FnOnce() -> String) -> Self {
        self.mend = (!self.right).then(command);
        self
    }
}

impl fmt::Display for Report {
    /// A table, and the commands that mend what is wrong.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |of: fn(&Check) -> &str| {
            let widths = self.checks.iter().map(|check| of(check).len());
            widths.max().unwrap_or(0).max("SETTING".len())
        };
        let (first, second) = (width(|it| &it.setting), width(|it| &it.present));
        writeln!(
            f,
            "       {:first$}  {:second$}  WANTED",
            "SETTING", "PRESENT"
        )?;
        for check in &self.checks {
            let verdict = if check.right { "ok" } else { "WRONG" };
            writeln!(
                f,
                "{verdict:5}  {:first$}  {:second$}  {}",
                check.setting, check.present, check.wanted
            )?;
        }
        for check in &self.checks {
            if let Some(command) = &check.mend {
                writeln!(f, "to mend {}: {command}", check.setting)?;
            }
        }
        Ok(())
    }
}
