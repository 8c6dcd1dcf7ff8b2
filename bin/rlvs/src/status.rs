//! `rlvs status`: how the director fares, for a person or for a program.
//!
//! What is wrong stands out without colour too: in capitals, with the reason. Counters that are
//! zero are left out for a person; `--json` has them all.

mod site;
mod synchronisation;
mod table;
mod units;
mod vrrp;

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use rlvs_control::drain::Draining;
use rlvs_control::listing::LocalAddress;
use rlvs_control::model::Family;
use rlvs_control::status::{
    Answers, Attachment, ConnectionTable, Counter, Daemon, DestinationState, Interface, Listener,
    MarkPath, MarkRule, NextHop, ServiceState, SlowStart, Status,
};

use crate::output;
use crate::remote::Whom;
use table::{Cell, Table};

const TITLE: Style = Style::new().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const DOUBTFUL: Style = AnsiColor::Yellow.on_default();

/// Asks a director and prints the answer.
pub(crate) fn run(json: bool, whom: &Whom) -> anyhow::Result<()> {
    let status = whom.client()?.status()?;
    let text = if json {
        serde_json::to_string_pretty(&status)? + "\n"
    } else {
        render(&status)
    };
    Ok(output::print(&text)?)
}

fn render(status: &Status) -> String {
    let mut text = String::new();
    daemon(&mut text, &status.daemon, status.number);
    if !status.listening.is_empty() {
        section(&mut text, "Over TCP", listeners(&status.listening));
    }
    section(&mut text, "Interfaces", interfaces(&status.interfaces));
    if let Some(path) = &status.marks {
        section(&mut text, "Firewall marks", marks(path));
    }
    if let Some(now) = &status.synchronisation {
        section(&mut text, "Synchronisation", synchronisation::draw(now));
    }
    if let Some(site) = &status.site {
        section(&mut text, "Site", site::draw(site));
    }
    if !status.vrrp.is_empty() {
        section(&mut text, "VRRP", vrrp::draw(&status.vrrp));
    }
    let is_mixed = status.site.is_some();
    section(&mut text, "Services", services(&status.services, is_mixed));
    section(&mut text, "Connections", connections(&status.connections));
    section(
        &mut text,
        "Packets passed",
        counters(&status.passed, Style::new()),
    );
    section(&mut text, "Packets dropped", counters(&status.dropped, BAD));
    text
}

fn daemon(text: &mut String, daemon: &Daemon, number: u64) {
    let Daemon {
        version,
        pid,
        uptime_seconds,
        network_namespace,
    } = daemon;
    let uptime = units::duration(*uptime_seconds);
    let namespace = match &network_namespace.name {
        Some(name) => format!("{name} ({})", network_namespace.cookie),
        None => network_namespace.cookie.to_string(),
    };
    let line =
        format!("process {pid}, up {uptime}, network namespace {namespace}, rules number {number}");
    let _ = writeln!(text, "{TITLE}rlvs {version}{TITLE:#}  {line}");
}

fn section(text: &mut String, title: &str, body: String) {
    let _ = write!(text, "\n{TITLE}{title}{TITLE:#}\n{body}");
}

fn listeners(listeners: &[Listener]) -> String {
    let mut table = Table::new("  ");
    for Listener { address, what } in listeners {
        let what = match what {
            Answers::Api => "the API, by tokens, in the clear",
            Answers::ApiOverTls => "the API, by tokens and TLS",
            Answers::Metrics => "metrics",
        };
        table.row([Cell::left(address), Cell::left(what)]);
    }
    table.to_string()
}

fn interfaces(interfaces: &[Interface]) -> String {
    let mut table = Table::new("  ");
    for Interface {
        name,
        index,
        attachment,
        reason,
    } in interfaces
    {
        // As `ip link` does: the number first.
        let index = Cell::right(format!("{index}:"));
        table.row([
            index,
            Cell::left(name),
            attachment_cell(*attachment, reason),
        ]);
    }
    table.or("none is known: no packet is balanced")
}

fn marks(path: &MarkPath) -> String {
    let mut text = String::new();
    if let Some(problem) = &path.problem {
        let _ = writeln!(text, "  {BAD}NOT BALANCED: {problem}{BAD:#}");
    }
    for MarkRule { family, rule } in &path.rules {
        let _ = writeln!(text, "  {}  {rule}", version(*family));
    }
    text
}

fn attachment_cell(attachment: Attachment, reason: &str) -> Cell {
    let mode = match attachment {
        Attachment::Native => "native",
        Attachment::Generic => "generic",
        Attachment::Tc => "tc",
        Attachment::Detached => return Cell::left(format!("NOT ATTACHED: {reason}")).styled(BAD),
    };
    Cell::left(format!("{mode}: {reason}"))
}

/// Where some may be a file's, those that are not say so.
fn services(services: &[ServiceState], is_mixed: bool) -> String {
    let mut table = Table::new("  ");
    table.row(["", "method", "weight", "active", "inactive", "next hop"].map(Cell::heading));
    for service in services {
        table.row(service_row(service, is_mixed));
        service
            .local_addresses
            .iter()
            .for_each(|address| table.row(local_address_row(address)));
        service
            .destinations
            .iter()
            .for_each(|destination| table.row(destination_row(destination)));
    }
    if services.is_empty() {
        "  none: `ipvsadm -A` adds one\n".to_owned()
    } else {
        table.to_string()
    }
}

fn service_row(service: &ServiceState, is_mixed: bool) -> [Cell; 6] {
    let mut row = [(); 6].map(|()| Cell::empty());
    row[0] = Cell::left(format!("{} {}", service.key, service.scheduler));
    if is_mixed && !service.from_file {
        row[1] = Cell::left("by hand");
    }
    if service.destinations.is_empty() {
        row[5] = Cell::left("NO DESTINATION").styled(DOUBTFUL);
    }
    if service.lacks_local_addresses() {
        row[5] = Cell::left("NO LOCAL ADDRESS: `ipvsadm --add-laddr` adds one").styled(BAD);
    }
    row
}

/// Where full NAT is from.
fn local_address_row(local: &LocalAddress) -> [Cell; 6] {
    let mut row = [(); 6].map(|()| Cell::empty());
    row[0] = Cell::left(format!("  from {}", local.address));
    row[3] = Cell::right(local.connections);
    if local.conflicts != 0 {
        row[5] = Cell::left(format!("a port was taken {} times", local.conflicts));
    }
    row
}

fn destination_row(destination: &DestinationState) -> [Cell; 6] {
    [
        Cell::left(format!("  {}", destination.key)),
        Cell::left(destination.method.name()),
        Cell::right(weight(destination)),
        Cell::right(destination.active_connections),
        Cell::right(destination.inactive_connections),
        next_hop_of(destination),
    ]
}

fn version(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "IPv4",
        Family::Ipv6 => "IPv6",
    }
}

/// What schedulers go by.
fn weight(destination: &DestinationState) -> String {
    let Some(SlowStart { percent, .. }) = destination.slow_start else {
        return destination.weight.to_string();
    };
    let hundredths = u64::from(destination.weight) * u64::from(percent);
    match hundredths.is_multiple_of(100) {
        true => (hundredths / 100).to_string(),
        false => format!("{}.{:02}", hundredths / 100, hundredths % 100),
    }
}

fn next_hop_of(destination: &DestinationState) -> Cell {
    let next_hop = next_hop(&destination.next_hop);
    match (destination.draining, destination.slow_start) {
        (Some(draining), _) => next_hop.and(draining_text(draining)),
        (None, Some(SlowStart { seconds_left, .. })) => {
            let (weight, left) = (destination.weight, units::duration(seconds_left));
            next_hop.and(format_args!("of weight {weight}, which it has in {left}"))
        }
        (None, None) => next_hop,
    }
}

fn draining_text(draining: Draining) -> String {
    let time = units::duration(draining.seconds);
    let left = draining.seconds_left.map(units::duration);
    let left = left.map_or_else(String::new, |left| format!(", removed in {left}"));
    format!("draining for {time}{left}")
}

fn next_hop(next_hop: &NextHop) -> Cell {
    match next_hop {
        NextHop::Resolved { interface, mac } => Cell::left(format!("{mac} on {interface}")),
        NextHop::Local => Cell::left("this host"),
        NextHop::Unresolved { reason } => Cell::left(format!("UNRESOLVED: {reason}")).styled(BAD),
    }
}

fn connections(tables: &[ConnectionTable]) -> String {
    let mut table = Table::new("  ");
    let heading = [
        "",
        "entries",
        "size",
        "slots",
        "memory",
        "evicted",
        "thinned",
        "stateless",
    ];
    table.row(heading.map(Cell::heading));
    for ConnectionTable {
        family,
        entries,
        size,
        slots,
        bytes,
        evicted,
        thinned,
        stateless,
    } in tables
    {
        table.row([
            Cell::left(version(*family)),
            Cell::right(entries),
            Cell::right(size),
            Cell::right(slots),
            Cell::right(units::bytes(*bytes)),
            doubtful(*evicted),
            doubtful(*thinned),
            doubtful(*stateless),
        ]);
    }
    table.to_string()
}

/// A count that should stay zero.
fn doubtful(count: u64) -> Cell {
    let style = if count == 0 { Style::new() } else { DOUBTFUL };
    Cell::right(count).styled(style)
}

fn counters(counters: &[Counter], style: Style) -> String {
    let mut table = Table::new("  ");
    for Counter {
        reason,
        meaning,
        packets,
    } in counters.iter().filter(|c| c.packets > 0)
    {
        table.row([
            Cell::right(packets).styled(style),
            Cell::left(reason).styled(style),
            Cell::left(meaning),
        ]);
    }
    table.or("none")
}

#[cfg(test)]
mod tests;
