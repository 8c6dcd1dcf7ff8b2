//! Who is told of VRRP, by FIFO and by mail: the same as keepalived tells.

use anyhow::{Context, Result, ensure};
use rlvs_control::status::VrrpState;
use rlvs_lab::{Process, wait};
use rlvs_tests::mail::mail_server;

use crate::pair::{KEEPALIVED, Pair, SOON};

fn file(directory: &str) -> String {
    format!(
        "global_defs {{\nrouter_id LAB\nnotification_email {{\nops@example.org\n}}\n\
         notification_email_from lvs@example.org\nsmtp_server 10.0.0.10\n\
         vrrp_notify_fifo {directory}/fifo\n}}\n\
         vrrp_sync_group G {{\ngroup {{\nVI\nVI6\n}}\nsmtp_alert\n}}\n{}{}",
        instance("VI", 87, "10.0.0.190", "smtp_alert"),
        instance("VI6", 88, "fd00::190", "")
    )
}

fn instance(name: &str, router: u8, address: &str, words: &str) -> String {
    format!(
        "vrrp_instance {name} {{\nstate BACKUP\ninterface eth0\nvirtual_router_id {router}\n\
         priority 150\nversion 3\nadvert_int 1\n{words}\nvirtual_ipaddress {{\n{address}\n}}\n}}\n"
    )
}

/// What one router tells while it becomes master, is in fault, and is master again: lines, and subjects
/// of mail.
fn told(pair: &mut Pair, router: usize, mail: &Process) -> Result<[Vec<String>; 2]> {
    let host = &pair.routers[router].director.host;
    let directory = host.directory()?.display().to_string();
    host.shell(&format!("mkfifo -m 666 {directory}/fifo"))?;
    // Open both ways: it neither waits for who writes, nor ends with them.
    let line = format!("exec cat 0<> {directory}/fifo");
    let reader = host.spawn("reader", "sh", ["-c", &line])?;
    let letters_before = subjects(mail).len();
    let text = file(&directory);
    match router {
        0 => pair.routers[0].start_rlvs(KEEPALIVED, &text)?,
        _ => pair.routers[1].start_keepalived(&text)?,
    }
    let wait_for = |line: &str, times: usize| {
        wait::until(&format!("{times} times {line}"), SOON * 2, || {
            let log = reader.log();
            Ok(log.lines().filter(|it| *it == line).count() >= times)
        })
        .with_context(|| format!("{}\n{}", reader.log(), pair.logs()))
    };
    wait_for("GROUP \"G\" MASTER 0", 1)?;
    let host = &pair.routers[router].director.host;
    pair.segment.set_plugged(host, false)?;
    wait_for("GROUP \"G\" FAULT 0", 1)?;
    pair.segment.set_plugged(host, true)?;
    wait_for("GROUP \"G\" MASTER 0", 2)?;
    for name in ["VI", "VI6"] {
        wait_for(&format!("INSTANCE \"{name}\" MASTER 150"), 2)?;
    }
    let wanted = 4;
    wait::until("mail has come", SOON * 2, || {
        let new = subjects(mail).split_off(letters_before);
        Ok(new.iter().filter(|it| it.contains("MASTER")).count() >= wanted)
    })
    .with_context(|| format!("{:?}\n{}", subjects(mail), pair.logs()))?;
    let mut lines: Vec<_> = reader.log().lines().map(str::to_owned).collect();
    let mut letters = subjects(mail).split_off(letters_before);
    // Which of the group's instances is first is chance.
    lines.sort();
    letters.sort();
    Ok([lines, letters])
}

fn subjects(mail: &Process) -> Vec<String> {
    let log = mail.log();
    let lines = log.lines().filter(|line| line.starts_with("Subject: "));
    lines.map(str::to_owned).collect()
}

#[test]
fn the_same_is_told_as_keepalived_tells() -> Result<()> {
    let mut pair = Pair::new()?;
    let mail = mail_server(&pair.client)?;
    let ours = told(&mut pair, 0, &mail)?;
    pair.routers[0].wait_for_state("VI", VrrpState::Master)?;
    pair.routers[0].rlvs("stop --remove")?;
    pair.routers[0].stop()?;
    // Letters of the end belong to nobody here.
    wait::until("all has been sent", SOON, || {
        let count = subjects(&mail).len();
        std::thread::sleep(std::time::Duration::from_secs(2));
        Ok(subjects(&mail).len() == count)
    })?;
    let keepaliveds = told(&mut pair, 1, &mail)?;
    for (ours, keepaliveds) in ours.iter().zip(&keepaliveds) {
        ensure!(ours == keepaliveds, "{ours:#?}\n{keepaliveds:#?}");
    }
    Ok(())
}
