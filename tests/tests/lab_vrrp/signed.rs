//! Advertisements that are signed (`auth_hmac`). Debian's keepalived does not know them yet.

use std::fs;

use anyhow::{Result, ensure};
use rlvs_control::status::VrrpState;
use rlvs_lab::wait;

use crate::pair::{KEEPALIVED, Pair, Router, SOON};

const VIPS: [&str; 2] = ["10.0.0.170", "fd00::170"];

fn file(router: &Router, priority: u8, mode: &str) -> Result<String> {
    let secret = router.file("secret")?.display().to_string();
    let instance = |(number, vip): (usize, &&str)| {
        format!(
            "vrrp_instance V{number} {{\ninterface eth0\nvirtual_router_id {}\nversion 3\n\
             advert_int 0.5\npriority {priority}\nauth_hmac {{\nkey 7 file:{secret}\n\
             time_window 60\nmode {mode}\n}}\nvirtual_ipaddress {{\n{vip}\n}}\n}}\n",
            number + 61
        )
    };
    Ok(VIPS.iter().enumerate().map(instance).collect())
}

fn write_secret(router: &Router, secret: &str) -> Result<()> {
    Ok(fs::write(router.file("secret")?, format!("{secret}\n"))?)
}

fn apply(router: &Router, text: &str) -> Result<()> {
    let path = router.file(KEEPALIVED)?;
    fs::write(&path, text)?;
    router.rlvs(&format!("apply {}", path.display())).map(drop)
}

fn wait_refused(router: &Router, reason: &str) -> Result<()> {
    wait::until(&format!("{reason} is counted"), SOON, || {
        let all = router.instances()?;
        Ok(all.iter().all(|it| it.refused.contains_key(reason)))
    })
}

const SECRET: &str = "hex:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

#[test]
fn who_has_another_key_is_not_heard() -> Result<()> {
    let mut pair = Pair::new()?;
    for router in &pair.routers {
        write_secret(router, SECRET)?;
    }
    let texts = [
        file(&pair.routers[0], 150, "enforce")?,
        file(&pair.routers[1], 100, "enforce")?,
    ];
    pair.routers[1].start_rlvs(KEEPALIVED, &texts[1])?;
    pair.wait_for(1, &VIPS, "nobody else is there")?;
    pair.routers[0].start_rlvs(KEEPALIVED, &texts[0])?;
    pair.wait_for(0, &VIPS, "it has the higher priority")?;
    for it in pair.routers[1].instances()? {
        ensure!(
            it.state == VrrpState::Backup && it.refused.is_empty(),
            "{it:?}"
        );
    }

    // Another key: each believes to be alone.
    write_secret(&pair.routers[1], &SECRET.replace("00", "ff"))?;
    apply(&pair.routers[1], &texts[1])?;
    for name in ["V0", "V1"] {
        pair.routers[1].wait_for_state(name, VrrpState::Master)?;
        pair.routers[0].wait_for_state(name, VrrpState::Master)?;
    }
    wait_refused(&pair.routers[0], "hmac-value")?;
    write_secret(&pair.routers[1], SECRET)?;
    apply(&pair.routers[1], &texts[1])?;
    pair.wait_for(0, &VIPS, "both have the same key again")?;

    // One that does not sign is heard where that is allowed.
    apply(
        &pair.routers[0],
        &file(&pair.routers[0], 150, "receive-only")?,
    )?;
    wait_refused(&pair.routers[1], "hmac-missing")?;
    apply(
        &pair.routers[1],
        &file(&pair.routers[1], 100, "permissive")?,
    )?;
    pair.wait_for(0, &VIPS, "what is not signed is heard")?;
    Ok(())
}
