//! The file whose services are done, and which of its real servers fail.

use std::fmt::Write as _;
use std::net::SocketAddr;

use rlvs_control::status::{AddressState, SiteState, TroubledServer};

use super::{BAD, DOUBTFUL};

/// Lines of each kind; more are counted.
const SHOWN: usize = 20;

pub(super) fn draw(site: &SiteState) -> String {
    let mut text = format!(
        "  {} (number {}), {} health checks, {} fail\n",
        site.path.display(),
        site.number,
        site.checks,
        site.failing.len()
    );
    for address in &site.addresses {
        text += &own(address);
    }
    for server in site.troubled.iter().take(SHOWN) {
        let _ = writeln!(text, "  {BAD}{}{BAD:#}", trouble(server));
    }
    more(&mut text, site.troubled.len());
    for check in site.failing.iter().take(SHOWN) {
        let reason = check
            .reason
            .as_deref()
            .unwrap_or("asked by the daemon before this one");
        let (target, kind) = (check.target, &check.kind);
        let _ = writeln!(text, "  {DOUBTFUL}{target} {kind}: {reason}{DOUBTFUL:#}");
    }
    more(&mut text, site.failing.len());
    text
}

fn own(state: &AddressState) -> String {
    let interface = state.interface.as_deref().unwrap_or_default();
    match (&state.problem, state.put) {
        (Some(problem), _) => format!("  {BAD}address {}: {problem}{BAD:#}\n", state.address),
        (None, true) => format!("  address {} on {interface}\n", state.address),
        (None, false) => format!(
            "  address {} on {interface}, there before: it stays\n",
            state.address
        ),
    }
}

fn more(text: &mut String, all: usize) {
    if all > SHOWN {
        let _ = writeln!(text, "  and {} more: --json has all", all - SHOWN);
    }
}

fn trouble(server: &TroubledServer) -> String {
    let mut text = format!("{}:", server.service);
    let down = server.down.len();
    if down > 0 {
        let _ = write!(
            text,
            " {down} of {} down ({})",
            server.servers,
            list(&server.down)
        );
    }
    if !server.kept.is_empty() {
        let _ = write!(text, " failing, but kept: {}", list(&server.kept));
    }
    match (server.quorum, server.sorry) {
        (_, true) => text += " THE SORRY SERVER SERVES",
        (false, false) => text += " NO QUORUM",
        (true, false) => {}
    }
    text
}

fn list(servers: &[SocketAddr]) -> String {
    let shown = servers.iter().take(4).map(SocketAddr::to_string);
    let mut text = shown.collect::<Vec<_>>().join(", ");
    if servers.len() > 4 {
        text += ", …";
    }
    text
}
