//! Sites whose health checks go by way of virtual addresses.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use rlvs_control::status::SiteState;
use rlvs_lab::address::with_port;
use rlvs_lab::{DirectRouting, wait};

use crate::scene::status;

const SOON: Duration = Duration::from_secs(180);

/// Who takes tunnels.
pub const TUNNELS: &str = "ipip,gre,gue";

/// Of a check: down until it has succeeded.
pub const OPTIONS: &str = "alpha = true, delay_loop = 0.5, retry = 0, connect_timeout = 1";

/// What the director knows of its site.
pub fn site(lab: &DirectRouting) -> Result<SiteState> {
    status(&lab.director)?.site.context("no site")
}

/// Waits until these real servers are out, and no others.
pub fn wait_for(lab: &DirectRouting, out: &BTreeSet<String>) -> Result<()> {
    let mut last = BTreeSet::new();
    let waited = wait::until(&format!("{out:?} are out"), SOON, || {
        let troubled = site(lab)?.troubled;
        let down = troubled.iter().flat_map(|it| &it.down);
        last = down.map(ToString::to_string).collect();
        Ok(last == *out)
    });
    waited.with_context(|| format!("{last:?} are, for {:?}", site(lab).map(|it| it.failing)))
}

/// A service whose checks send a small request, and one of many segments.
pub fn service(vip: IpAddr, real: &[(IpAddr, &str)]) -> String {
    let many = "x".repeat(40_000);
    let length = many.len();
    let request = format!("POST /who HTTP/1.0\\r\\nContent-Length: {length}\\r\\n\\r\\n{many}");
    let servers = real.iter().map(|(address, method)| {
        format!("  {{ address = \"{address}\", method = \"{method}\" }},\n")
    });
    let servers: String = servers.collect();
    format!(
        "
[[service]]
tcp = \"{}\"
check = [
  {{ http = \"/who\", via = \"vip\", {OPTIONS} }},
  {{ exchange = {{ request = \"{request}\", receive = {{ pattern = \" 200 OK\" }} }}, via = \"vip\", {OPTIONS} }},
]
real = [
{servers}]
",
        with_port(vip, 80)
    )
}
