//! `cargo xtask bench ha`: two directors, of which the one with the virtual addresses goes: how long
//! nobody is served, and which connections do not survive it.
//!
//! * [`failure`]: how a director goes
//! * [`probe`]: who notices: a DNS query each millisecond

mod failure;
pub(crate) mod probe;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rlvs_lab::address::with_port;
use rlvs_lab::{Lab, Process, TwoDirectors, wait};

use failure::Failure;
use probe::{Probe, Seen};

const REAL_SERVERS: u8 = 2;
const SOON: Duration = Duration::from_secs(60);

/// Measure how long nobody is served while a director takes over
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Milliseconds between two advertisements
    #[arg(long, value_name = "MS", value_delimiter = ',', default_values_t = [1000, 100, 20])]
    intervals: Vec<u64>,
    /// Downloads that are under way
    #[arg(long, value_name = "N", default_value_t = 10)]
    downloads: u16,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    println!(
        "a DNS query each millisecond, and {} downloads; without service: the longest time of which no \
         query was answered",
        arguments.downloads
    );
    println!();
    println!(
        "{:<28} {:>9} {:>9} {:>16} {:>9} {:>10}",
        "", "interval", "target", "without service", "queries", "downloads"
    );
    println!(
        "{:<28} {:>9} {:>9} {:>16} {:>9} {:>10}",
        "", "ms", "ms", "ms", "lost", "lost"
    );
    for failure in Failure::ALL {
        for &interval in &arguments.intervals {
            let interval = Duration::from_millis(interval);
            let outcome = one(failure, interval, arguments.downloads)
                .with_context(|| format!("{failure}, {} ms", interval.as_millis()))?;
            row(failure, interval, &outcome, arguments.downloads);
        }
    }
    Ok(())
}

struct Outcome {
    seen: Seen,
    survived: u16,
}

fn row(failure: Failure, interval: Duration, outcome: &Outcome, downloads: u16) {
    let target = match failure.is_planned() {
        true => "1 query".to_owned(),
        false => (3 * interval.as_millis() + 50).to_string(),
    };
    println!(
        "{:<28} {:>9} {target:>9} {:>16} {:>9} {:>10}",
        failure.to_string(),
        interval.as_millis(),
        outcome.seen.longest_ms,
        outcome.seen.lost,
        downloads - outcome.survived
    );
}

fn one(failure: Failure, interval: Duration, downloads: u16) -> Result<Outcome> {
    let mut site = TwoDirectors::build(Lab::new()?, REAL_SERVERS)?;
    for director in 0..2 {
        let text = site.configuration(director, interval);
        site.directors[director].start_rlvs_with(&text)?;
    }
    wait::until("the first director is master", SOON, || {
        Ok(site.master()? == Some(0))
    })?;
    let mut downloading = begin_downloads(&site, downloads)?;
    let mut probe = Probe::start(&site.client, site.vips()[0])?;
    probe.wait_answered(500)?;
    failure.happen(&mut site)?;
    wait::until("the other has taken over", SOON, || {
        Ok(site.addresses(1)? == site.vips().len())
    })?;
    probe.wait_answered(500 + 2 * interval.as_millis() as u32)?;
    let seen = probe.finish()?;
    let survived = downloading
        .iter_mut()
        .map(|it| Ok(u16::from(it.wait(SOON)?.success())))
        .sum::<Result<u16>>()?;
    Ok(Outcome { seen, survived })
}

/// Downloads that last until long after, once the other director knows them.
fn begin_downloads(site: &TwoDirectors, count: u16) -> Result<Vec<Process>> {
    let vip = site.vips()[0];
    let url = format!("http://{}/big", with_port(vip, 80));
    let ask = |limit: &str| {
        site.client
            .try_run("curl", ["-sfo", "/dev/null", "-m", limit, &url])
    };
    wait::until("the service answers", SOON, || {
        Ok(ask("10")?.status.success())
    })?;
    let downloads: Vec<_> = (0..count)
        .map(|number| {
            let words = ["-sSfo", "/dev/null", "-m", "90", "--limit-rate", "1M", &url];
            site.client
                .spawn(&format!("download{number}"), "curl", words)
        })
        .collect::<Result<_>>()?;
    wait::until("the other director knows them", SOON, || {
        let known = site.directors[1].ipvsadm("-Lcn")?;
        let established = known.lines().filter(|line| line.contains("ESTABLISHED"));
        Ok(established.count() >= usize::from(count))
    })?;
    ensure!(site.master()? == Some(0), "it is master no more");
    Ok(downloads)
}
