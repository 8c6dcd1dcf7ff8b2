//! A real server's side: packets come out of every kind of tunnel, and nothing else does.

use std::path::Path;

use anyhow::{Result, ensure};
use rlvs_tests::tunnel_site::{TunnelSite, VIPS};

#[test]
fn packets_come_out_of_every_tunnel_and_nothing_else_does() -> Result<()> {
    TunnelSite::new()?.check()
}

#[test]
fn what_is_said_anew_holds_at_once_and_down_undoes_all() -> Result<()> {
    let site = TunnelSite::new()?;
    let refused = site.up("--tunnel ipip").unwrap_err().to_string();
    ensure!(refused.contains("--from"), "{refused}");
    site.up("--tunnel gre --from 198.51.100.1")?;
    site.send("end")?;
    ensure!(site.counts()?.is_empty(), "ipip was looked at");
    site.up("--tunnel ipip")?;
    site.send("end")?;
    ensure!(site.counts()? == [("wrong_sender".to_owned(), 1)].into());
    site.up("--from any")?;
    site.send("end")?;
    // What was counted goes on.
    ensure!(site.counts()?.get("decapsulated") == Some(&1));
    ensure!(site.counts()?.get("wrong_sender") == Some(&1));
    site.realserver(&format!("down --vip {}", VIPS[0]))?;
    site.send("end")?;
    ensure!(site.counts()?.get("not_a_vip") == Some(&1));
    site.realserver("down")?;
    let cookie = site.server.cookie()?.to_string();
    let pinned = Path::new("/sys/fs/bpf/rlvs-realserver").join(cookie);
    ensure!(!pinned.exists(), "{} is left", pinned.display());
    ensure!(
        site.realserver("status").is_err(),
        "there is a status of nothing"
    );
    Ok(())
}
