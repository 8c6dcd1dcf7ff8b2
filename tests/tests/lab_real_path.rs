//! Checks by way of the virtual address, to real servers by every method: they take out who lacks
//! the address or takes no tunnel, which a direct check does not see.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rlvs_control::status::SiteState;
use rlvs_lab::address::with_port;
use rlvs_lab::{DirectRouting, wait};
use rlvs_tests::scene::status;

const SOON: Duration = Duration::from_secs(60);

/// By number of their real server. The last is reached by NAT, where the check is a direct one.
const METHODS: [&str; 6] = [
    "dr",
    "tun",
    "gre:csum",
    "gue:6080",
    "gue:6080:remcsum",
    "nat",
];
/// Who takes tunnels.
const TUNNELS: &str = "ipip,gre,gue";
/// Of the service whose checks are direct.
const DIRECT: u16 = 8080;

/// Down until a check has succeeded.
const OPTIONS: &str = "alpha = true, delay_loop = 0.5, retry = 0, connect_timeout = 1";

fn real(lab: &DirectRouting, number: usize, vip: IpAddr) -> IpAddr {
    lab.real_servers[number].host.address().like(vip)
}

/// HTTP and DNS by way of each virtual address, and a service with the same servers whose checks
/// are direct.
fn file(lab: &DirectRouting) -> String {
    let mut text = rlvs_lab::director::CONFIGURATION.to_owned();
    for vip in lab.vips() {
        let mut service = |kind: &str, port: u16, check: &str| {
            let servers = METHODS.iter().enumerate().map(|(number, method)| {
                let port = if *method == "nat" { port.min(80) } else { port };
                let address = with_port(real(lab, number, vip), port);
                format!("  {{ address = \"{address}\", method = \"{method}\" }},\n")
            });
            let servers: String = servers.collect();
            let address = with_port(vip, port);
            text += &format!(
                "\n[[service]]\n{kind} = \"{address}\"\nscheduler = \"rr\"\n\
                 check = {{ {check}, {OPTIONS} }}\nreal = [\n{servers}]\n"
            );
        };
        service("tcp", 80, "http = \"/who\", via = \"vip\"");
        service(
            "udp",
            53,
            "dns = { type = \"A\", name = \"who.lab\" }, via = \"vip\"",
        );
        service("tcp", DIRECT, "tcp = true, connect_port = 80");
    }
    text
}

fn site(lab: &DirectRouting) -> Result<SiteState> {
    status(&lab.director)?.site.context("no site")
}

/// Waits until these real servers are out of all services whose checks go by way of the virtual
/// address, and no server is of any other.
fn wait_for(lab: &DirectRouting, out: &[usize]) -> Result<()> {
    let mut wanted = BTreeSet::new();
    for vip in lab.vips() {
        for &number in out {
            for port in [80, 53] {
                wanted.insert(with_port(real(lab, number, vip), port));
            }
        }
    }
    let mut last = BTreeSet::new();
    let waited = wait::until(&format!("{wanted:?} are out"), SOON, || {
        let troubled = site(lab)?.troubled;
        let down = troubled.iter().flat_map(|it| &it.down);
        last = down.map(ToString::to_string).collect();
        Ok(last == wanted)
    });
    waited.with_context(|| format!("{last:?} are, for {:?}", site(lab).map(|it| it.failing)))
}

#[test]
fn who_lacks_the_address_or_takes_no_tunnel_is_out() -> Result<()> {
    let mut lab = DirectRouting::new(METHODS.len() as u8)?;
    let vips = lab.vips();
    let directors = lab.director.host.address().both().map(|it| it.to_string());
    let directors = directors.join(",");
    let up = |lab: &DirectRouting, number: usize| match METHODS[number] {
        "dr" => lab.real_servers[number].up(&vips),
        "nat" => Ok(()),
        _ => lab.real_servers[number].up_tunnel(&vips, TUNNELS, &directors),
    };
    lab.director.add_vips(&vips)?;
    (0..METHODS.len()).try_for_each(|number| up(&lab, number))?;
    let text = file(&lab);
    lab.director.start_rlvs_with(&text)?;
    wait_for(&lab, &[])?;
    ensure!(site(&lab)?.checks == 2 * 3 * METHODS.len());

    // No virtual address on lo; nor an end of the tunnel, of one and of all others.
    for out in [&[0][..], &[1], &[2, 3, 4]] {
        let down = |number: &usize| lab.real_servers[*number].down(&vips);
        out.iter().try_for_each(down)?;
        wait_for(&lab, out)?;
        expect_reasons(&lab, out)?;
        if out != [0] {
            // The address alone does not help.
            let address = |number: &usize| lab.real_servers[*number].up(&vips);
            out.iter().try_for_each(address)?;
            thread::sleep(Duration::from_secs(2));
            wait_for(&lab, out)?;
            out.iter().try_for_each(down)?;
        }
        out.iter().try_for_each(|&number| up(&lab, number))?;
        wait_for(&lab, &[])?;
    }
    Ok(())
}

/// The reasons say which way was tried.
fn expect_reasons(lab: &DirectRouting, out: &[usize]) -> Result<()> {
    let failing = site(lab)?.failing;
    for &number in out {
        let by = match METHODS[number] {
            "dr" => "direct routing",
            _ => "tunnel",
        };
        for vip in lab.vips() {
            let target = with_port(real(lab, number, vip), 80);
            let through = format!("through {} by {by}: connecting: ", with_port(vip, 80));
            let said = failing.iter().any(|check| {
                let reason = check.reason.as_deref().unwrap_or_default();
                check.target.to_string() == target && reason.starts_with(&through)
            });
            ensure!(said, "{through} of {target}: {failing:?}");
        }
    }
    Ok(())
}
