//! Two directors: one dies before the viewer's eyes, and a download goes on.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rlvs_lab::address::with_port;
use rlvs_lab::{Lab, Process, TwoDirectors, wait};

use super::narrate::{heading, prompt, say, typed};
use super::{LAB, build};
use crate::{progress, setup};

const REAL_SERVERS: u8 = 2;
const INTERVAL: Duration = Duration::from_millis(100);
const SOON: Duration = Duration::from_secs(60);

pub(super) fn run() -> Result<()> {
    setup::run(&[setup::BUILD, setup::LAB])?;
    build()?;
    let mut pair = Pair::begin()?;
    let walked = pair.walk();
    progress::step("remove the lab", |_| {
        drop(pair);
        Ok(())
    })?;
    walked
}

struct Pair {
    site: TwoDirectors,
}

impl Pair {
    fn begin() -> Result<Self> {
        heading("A client, two directors, two real servers");
        let site = progress::step("the hosts", |_| {
            TwoDirectors::build(Lab::named(LAB)?, REAL_SERVERS)
        })?;
        Ok(Self { site })
    }

    fn walk(&mut self) -> Result<()> {
        self.start()?;
        let download = self.download()?;
        self.kill()?;
        self.come_back()?;
        self.hand_over()?;
        self.finish(download)
    }

    fn start(&mut self) -> Result<()> {
        heading("Both directors have the same file, but for the priority");
        for director in 0..2 {
            let text = self.site.configuration(director, INTERVAL);
            let file = self.site.directors[director].configuration_file()?;
            fs::write(&file, &text)?;
            let host = &self.site.directors[director].host;
            if director == 0 {
                typed(host, &format!("cat {}", file.display()))?;
            }
            prompt(host, &format!("rlvs run --config {} &", file.display()));
            let started = &mut self.site.directors[director];
            progress::step("rlvs loads and attaches its programs", |_| {
                started.start_rlvs_with(&text)
            })?;
        }
        self.wait_for(0)?;
        self.show(0)?;
        self.show(1)
    }

    fn download(&self) -> Result<Process> {
        heading("A download begins");
        let url = format!("http://{}/big", with_port(self.site.vips()[0], 80));
        let words = [
            "-fo",
            "/dev/null",
            "--limit-rate",
            "700k",
            "-w",
            "\n%{size_download} bytes in %{time_total} s\n",
            &url,
        ];
        prompt(&self.site.client, &format!("curl -o /dev/null {url} &"));
        let download = self.site.client.spawn("download", "curl", words)?;
        say("The other director is told of the connection.");
        wait::until("it is told", SOON, || {
            let known = self.site.directors[1].ipvsadm("-Lcn")?;
            Ok(known.contains("ESTABLISHED"))
        })?;
        typed(&self.site.directors[1].host, "ipvsadm -Lcn")?;
        Ok(download)
    }

    fn kill(&mut self) -> Result<()> {
        heading("The director with the addresses dies, and its link with it");
        let site = &mut self.site;
        let director = &mut site.directors[0];
        let port = site.switch.port(&director.host, "eth0");
        typed(site.switch.host(), &format!("ip link set {port} down"))?;
        let id = director.daemon().context("no daemon")?.id();
        prompt(&director.host, &format!("kill -9 {id}"));
        director.kill9()?;
        wait::until("the other takes over", SOON, || {
            Ok(site.addresses(1)? == site.vips().len())
        })?;
        self.show(1)?;
        self.ask()
    }

    fn come_back(&mut self) -> Result<()> {
        heading("It is back, and has the higher priority: it takes over once it is ready");
        let site = &mut self.site;
        let text = site.configuration(0, INTERVAL);
        let port = site.switch.port(&site.directors[0].host, "eth0");
        typed(site.switch.host(), &format!("ip link set {port} up"))?;
        prompt(&site.directors[0].host, "rlvs run &");
        let director = &mut site.directors[0];
        progress::step("rlvs adopts what is there", |_| {
            director.start_rlvs_with(&text)
        })?;
        self.wait_for(0)?;
        self.ask()
    }

    fn hand_over(&self) -> Result<()> {
        heading("Before maintenance: a planned hand-over");
        typed(&self.site.directors[0].host, "rlvs handover")?;
        self.wait_for(1)?;
        self.show(0)?;
        self.ask()
    }

    fn finish(&self, mut download: Process) -> Result<()> {
        heading("The download has met one director, the other, the first, and the other again");
        let status = download.wait(SOON)?;
        let log = download.log();
        let said = log.lines().rev().find(|line| line.contains(" bytes in "));
        say(said.unwrap_or(&log));
        ensure!(status.success(), "the download ended with {status}: {log}");
        Ok(())
    }

    fn wait_for(&self, director: usize) -> Result<()> {
        wait::until("one director has the addresses", SOON, || {
            Ok(self.site.master()? == Some(director))
        })
    }

    fn show(&self, director: usize) -> Result<()> {
        let line = "rlvs status | sed -n '/^VRRP/,/^$/p'";
        typed(&self.site.directors[director].host, line).map(drop)
    }

    fn ask(&self) -> Result<()> {
        let url = format!("http://{}/", with_port(self.site.vips()[0], 80));
        typed(&self.site.client, &format!("curl -s {url}")).map(drop)
    }
}
