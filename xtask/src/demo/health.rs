//! A director from a file: health checks, and changes of the file.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use rlvs_lab::address::with_port;
use rlvs_lab::{DirectRouting, Lab, wait, warden};

use super::narrate::{heading, prompt, say, typed};
use super::traffic;
use super::{LAB, build};
use crate::{progress, setup};

const REAL_SERVERS: u8 = 3;
const REQUESTS: usize = 30;
const SOON: Duration = Duration::from_secs(60);

pub(super) fn run() -> Result<()> {
    setup::run(&[setup::BUILD, setup::LAB])?;
    build()?;
    let mut site = Site::begin()?;
    let walked = site.walk();
    progress::step("remove the lab", |_| {
        drop(site);
        Ok(())
    })?;
    walked
}

struct Site {
    lab: DirectRouting,
    file: PathBuf,
    text: String,
}

impl Site {
    fn begin() -> Result<Self> {
        heading("A client, a director, three real servers");
        let lab = progress::step("the hosts", |_| {
            DirectRouting::build(Lab::named(LAB)?, REAL_SERVERS)
        })?;
        let (file, text) = (lab.director.configuration_file()?, text(&lab));
        Ok(Self { lab, file, text })
    }

    fn walk(&mut self) -> Result<()> {
        self.start()?;
        self.kill_one()?;
        self.bring_it_back()?;
        self.change_the_file()?;
        self.mistype()
    }

    fn start(&mut self) -> Result<()> {
        heading("The director's file");
        fs::write(&self.file, &self.text)?;
        let file = self.file.display().to_string();
        typed(&self.lab.director.host, &format!("cat {file}"))?;
        typed(&self.lab.director.host, &format!("rlvs check {file}"))?;
        let vip = self.lab.vip4();
        typed(
            &self.lab.director.host,
            &format!("ip addr add {vip}/32 dev eth0"),
        )?;
        prompt(
            &self.lab.director.host,
            &format!("rlvs run --config {file} &"),
        );
        let (director, text) = (&mut self.lab.director, &self.text);
        progress::step("rlvs loads and attaches its programs", |_| {
            director.start_rlvs_with(text)
        })?;
        for server in &self.lab.real_servers {
            warden::tell(&server.host, "real-servers")?;
            typed(&server.host, &format!("rlvs realserver up --vip {vip}"))?;
        }
        self.wait_for(3)?;
        self.shares(&[1, 1, 1])
    }

    fn kill_one(&self) -> Result<()> {
        heading("A real server dies, another hangs");
        let [first, second] = [0, 1].map(|n| &self.lab.real_servers[n]);
        let id = first.nginx.id();
        typed(&first.host, &format!("kill {id}"))?;
        let id = second.nginx.id();
        let workers = format!("kill -STOP $(cat /proc/{id}/task/{id}/children)");
        typed(&second.host, &workers)?;
        self.wait_for(1)?;
        typed(
            &self.lab.director.host,
            "rlvs status | sed -n '/^Site/,/^$/p'",
        )?;
        self.shares(&[0, 0, 1])
    }

    fn bring_it_back(&mut self) -> Result<()> {
        heading("Both are back");
        let second = &self.lab.real_servers[1];
        let id = second.nginx.id();
        let workers = format!("kill -CONT $(cat /proc/{id}/task/{id}/children)");
        typed(&second.host, &workers)?;
        prompt(&self.lab.real_servers[0].host, "nginx");
        self.lab.real_servers[0].restart_nginx()?;
        self.wait_for(3)?;
        self.shares(&[1, 1, 1])
    }

    fn change_the_file(&self) -> Result<()> {
        heading("The file changes: first what that would do, then it is done");
        let file = self.file.display();
        let line = format!("sed -i '0,/weight = 1/s//weight = 3/' {file}");
        typed(&self.lab.director.host, &line)?;
        typed(&self.lab.director.host, &format!("rlvs plan {file}"))?;
        typed(&self.lab.director.host, &format!("rlvs apply {file}"))?;
        typed(&self.lab.director.host, "ipvsadm -Ln").map(drop)
    }

    fn mistype(&self) -> Result<()> {
        heading("A mistake changes nothing");
        let file = self.file.display();
        let line = format!("sed -i s/scheduler/sheduler/ {file}");
        typed(&self.lab.director.host, &line)?;
        let line = format!("rlvs apply {file} 2>&1 || echo status $?");
        let said = typed(&self.lab.director.host, &line)?;
        ensure!(said.ends_with("status 1\n"), "it was applied");
        typed(&self.lab.director.host, "ipvsadm -Ln").map(drop)
    }

    /// Until so many real servers are in the pool.
    fn wait_for(&self, count: usize) -> Result<()> {
        say("checks are made once a second");
        wait::until(&format!("{count} real servers serve"), SOON, || {
            let listed = self.lab.director.ipvsadm("-Sn")?;
            Ok(listed.matches("-a -t").count() == count)
        })
    }

    fn shares(&self, weights: &[u32]) -> Result<()> {
        let words = format!("http://{}/who", self.lab.vip4());
        let answers = traffic::request(&self.lab.client, &words, REQUESTS)?;
        traffic::show_shares(&self.lab, weights, &answers)
    }
}

fn text(lab: &DirectRouting) -> String {
    let real = lab.real_servers.iter().map(|server| {
        let address = server.host.address().v4;
        format!("  {{ address = \"{address}\", weight = 1 }},\n")
    });
    format!(
        "connections = 65536

[interfaces]
names = [\"eth0\"]

[[service]]
tcp = \"{}\"
scheduler = \"wrr\"
check = {{ http = \"/who\", delay_loop = 1, delay_before_retry = 1, connect_timeout = 1 }}
real = [
{}]
",
        with_port(lab.vip4(), 80),
        real.collect::<String>()
    )
}
