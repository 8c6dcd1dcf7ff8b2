//! Virtual routers: which are master here, and if not, why.

use std::fmt::Write as _;

use rlvs_control::status::{VrrpInstance, VrrpState};

use super::{BAD, DOUBTFUL, units};

pub(super) fn draw(instances: &[VrrpInstance]) -> String {
    instances.iter().map(one).collect()
}

fn one(it: &VrrpInstance) -> String {
    let mut text = String::new();
    let group = it.group.as_ref().map(|group| format!(", group {group}"));
    let style = match it.state {
        VrrpState::Fault => BAD,
        VrrpState::Init => DOUBTFUL,
        VrrpState::Backup | VrrpState::Master => anstyle::Style::new(),
    };
    let _ = writeln!(
        text,
        "  {style}{} {}{style:#} for {}: {}",
        it.name,
        it.state,
        units::duration(it.since_seconds),
        it.why.as_deref().unwrap_or("it has not begun")
    );
    let _ = writeln!(
        text,
        "    router {} of {}, version {}, priority {}{}",
        it.virtual_router_id,
        it.interface,
        it.version,
        it.priority,
        group.unwrap_or_default()
    );
    if let (Some(master), Some(priority)) = (it.master, it.master_priority) {
        let _ = writeln!(text, "    master {master}, priority {priority}");
    }
    if let Some(reason) = &it.held {
        let _ = writeln!(text, "    {BAD}NO MASTER, AND IT WAITS: {reason}{BAD:#}");
    }
    if it.handed_over {
        let _ = writeln!(
            text,
            "    handed over: it takes over when no master is heard"
        );
    }
    let has = if it.state == VrrpState::Master {
        "has"
    } else {
        "would have"
    };
    let _ = writeln!(text, "    {has} {}", it.addresses.join(", "));
    for problem in &it.problems {
        let _ = writeln!(text, "    {BAD}{problem}{BAD:#}");
    }
    for (reason, count) in &it.refused {
        let _ = writeln!(
            text,
            "    {DOUBTFUL}{count} advertisements refused: {reason}{DOUBTFUL:#}"
        );
    }
    text
}
