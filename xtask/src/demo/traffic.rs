//! Requests, and who was seen to answer them.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};
use rlvs_lab::counters::Counters;
use rlvs_lab::{DirectRouting, Host, Process};

use super::narrate::{prompt, say};
use super::table::{self, percent};
use crate::progress;

const LIMIT: Duration = Duration::from_secs(300);
/// One part in so many, by which a share may miss what is asked: 4 %.
const TOLERANCE: u64 = 25;

/// Makes `count` requests, one curl with these words and so one new connection each; the answers.
pub(super) fn request(client: &Host, words: &str, count: usize) -> Result<Vec<String>> {
    let line = format!("for i in $(seq {count}); do curl -s -m 5 {words}; done");
    prompt(client, &line);
    let mut curls = client.spawn("curls", "bash", ["-c", &line])?;
    progress::step(&format!("{count} requests"), |shown| {
        curls.wait_until_ended(LIMIT, |curls| {
            shown.update(|| format!("{} of {count} answered", answers(curls).len()));
        })
    })?;
    let answers = answers(&curls);
    ensure!(
        answers.len() == count,
        "only {} of {count} requests were answered",
        answers.len()
    );
    Ok(answers)
}

fn answers(curls: &Process) -> Vec<String> {
    curls.log().lines().map(str::to_owned).collect()
}

/// Prints how many requests each real server got, beside what its weight asks for; an error where
/// these differ by more than a few percent.
pub(super) fn show_shares(lab: &DirectRouting, weights: &[u32], answers: &[String]) -> Result<()> {
    let weight_sum: u64 = weights.iter().map(|&weight| u64::from(weight)).sum();
    let all = answers.len() as u64;
    let mut rows = Vec::new();
    let mut fair = true;
    for (server, weight) in lab
        .real_servers
        .iter()
        .zip(weights.iter().copied().map(u64::from))
    {
        let got = answers
            .iter()
            .filter(|answer| *answer == server.name())
            .count() as u64;
        fair &= (got * weight_sum).abs_diff(all * weight) * TOLERANCE <= all * weight_sum;
        let (asked_share, got_share) = (percent(weight, weight_sum), percent(got, all));
        let name = server.name().to_owned();
        rows.push(vec![
            name,
            weight.to_string(),
            asked_share,
            got.to_string(),
            got_share,
        ]);
    }
    table::print(
        &[
            "real server",
            "weight",
            "share asked",
            "requests",
            "share got",
        ],
        &rows,
    );
    ensure!(fair, "the shares are not what the weights ask for");
    Ok(())
}

/// Prints whose MAC addresses the replies came from: `sources`, as the client saw them. An error
/// where the director's is among them.
pub(super) fn show_sources(lab: &DirectRouting, sources: &BTreeMap<String, u32>) -> Result<()> {
    say("frames from the VIP, port 80, as the client received them, by the sender's MAC address:");
    let hosts = lab
        .real_servers
        .iter()
        .map(|server| &server.host)
        .chain([&lab.director.host]);
    let row = |host: &Host| {
        let mac = &host.address().mac;
        let frames = sources.get(mac).copied().unwrap_or(0);
        vec![host.name().to_owned(), mac.clone(), frames.to_string()]
    };
    table::print(
        &["sent by", "MAC address", "frames"],
        &hosts.map(row).collect::<Vec<_>>(),
    );
    let director = &lab.director.host.address().mac;
    ensure!(
        !sources.contains_key(director),
        "replies came through the director"
    );
    Ok(())
}

/// Counters of all hosts at one time.
pub(super) struct Meters(Vec<Counters>);

impl Meters {
    pub(super) fn read(lab: &DirectRouting) -> Result<Self> {
        hosts(lab)
            .map(|host| Counters::read(host, "eth0"))
            .collect::<Result<_>>()
            .map(Self)
    }

    /// Prints what went through each host's interface since `self`.
    pub(super) fn show_since(&self, lab: &DirectRouting) -> Result<()> {
        let mut rows = Vec::new();
        for ((host, &then), now) in hosts(lab).zip(&self.0).zip(Self::read(lab)?.0) {
            let moved = now.since(then);
            rows.push(vec![
                host.name().to_owned(),
                moved.received_packets.to_string(),
                kilobytes(moved.received_bytes),
                moved.sent_packets.to_string(),
                kilobytes(moved.sent_bytes),
            ]);
        }
        table::print(
            &["host", "packets in", "kB in", "packets out", "kB out"],
            &rows,
        );
        Ok(())
    }
}

fn hosts(lab: &DirectRouting) -> impl Iterator<Item = &Host> {
    let servers = lab.real_servers.iter().map(|server| &server.host);
    [&lab.client, &lab.director.host].into_iter().chain(servers)
}

fn kilobytes(bytes: u64) -> String {
    format!("{}", (bytes + 500) / 1000)
}
