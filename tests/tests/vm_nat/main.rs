//! What is rewritten on its way, on Debian's stock kernel: SCTP, whose every checksum the kernel
//! there verifies, and full NAT.
//!
//! By XDP in a veth's driver and by tc, one director each: the emulated kernel takes long to verify
//! a program.

mod full_nat;
mod sctp;

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use rlvs_lab::{Host, Masquerading, Vm, command, vm};

use full_nat::FullNat;

/// The emulated machine is slow.
const SOON: Duration = Duration::from_secs(180);

#[test]
fn what_is_rewritten_arrives() -> Result<()> {
    if !vm::inside() {
        let machine = Vm::new().limit(Duration::from_secs(1200));
        return machine.run_test("what_is_rewritten_arrives");
    }
    command::finish(Command::new("modprobe").arg("sctp"), SOON)?.success()?;
    sctp::by_direct_routing()?;
    let mut lab = Masquerading::new(1)?;
    FullNat::prepare(&lab)?;
    for mode in ["native", "auto"] {
        walk(&mut lab, mode).with_context(|| mode.to_owned())?;
    }
    Ok(())
}

/// From no director to none.
fn walk(lab: &mut Masquerading, mode: &str) -> Result<()> {
    offload(&ends(lab), COMPUTED)?;
    offload(&[&lab.director.host], COMPUTED)?;
    lab.director.start_rlvs_with(&configuration(mode))?;
    sctp::by_masquerading(lab, 0).context(COMPUTED)?;
    if mode == "auto" {
        // Nobody computes them; then the director's device does, after the ports have changed.
        offload(&ends(lab), IN_SEGMENTS)?;
        offload(&[&lab.director.host], IN_SEGMENTS)?;
        sctp::by_masquerading(lab, 1).context(IN_SEGMENTS)?;
        offload(&ends(lab), LEFT)?;
        offload(&[&lab.director.host], COMPUTED)?;
        sctp::by_masquerading(lab, 2).context(LEFT)?;
        offload(&ends(lab), IN_SEGMENTS)?;
        offload(&[&lab.director.host], IN_SEGMENTS)?;
    }
    FullNat(lab).check().context("full NAT")?;
    lab.director.stop()?;
    lab.director.rlvs("down").map(drop)
}

fn ends(lab: &Masquerading) -> [&Host; 4] {
    let server = &lab.real_servers[0].host;
    [&lab.client, server, lab.outside.host(), lab.inside.host()]
}

fn configuration(mode: &str) -> String {
    format!("connections = 4096\n[interfaces]\nloopback = false\nmode = \"{mode}\"\n")
}

/// Checksums that the stack computes, in packets of their final size.
const COMPUTED: &str = "tx off tso off gso off";
/// Checksums, but not segments, that are left to the device.
const LEFT: &str = "tx on tso off gso off";
/// Both.
const IN_SEGMENTS: &str = "tx on tso on gso on";

/// What is left to devices, on all cables that end there.
fn offload(hosts: &[&Host], words: &str) -> Result<()> {
    for host in hosts {
        host.shell(&format!(
            "for device in $(ip -o link show type veth | cut -d : -f 2 | cut -d @ -f 1); do \
             ethtool -K $device {words} || exit 1; done"
        ))?;
    }
    Ok(())
}
