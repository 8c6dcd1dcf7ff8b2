//! The set-up that many LVS texts end with: a director, web servers, and their content on a fourth
//! host, so that any of them serves the same.
//!
//! It runs in the emulated machine, where this program starts itself once more: NFS is in the
//! kernel, and not in every kernel.

use std::env;
use std::io::{stderr, stdout};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rlvs_lab::address::with_port;
use rlvs_lab::{DirectRouting, Host, Lab, Storage, Vm, vm, wait, warden};

use super::narrate::{heading, say, typed};
use super::traffic;
use super::{LAB, build};
use crate::{progress, setup};

const WEB_SERVERS: u8 = 3;
const STORAGE: u8 = 20;
const REQUESTS: usize = 30;
const LIMIT: Duration = Duration::from_secs(900);
const SOON: Duration = Duration::from_secs(60);

const CONFIGURATION: &str =
    "connections = 65536\n\n[interfaces]\nnames = [\"eth0\"]\nloopback = false\n";

pub(super) fn run() -> Result<()> {
    if vm::inside() {
        return Site::begin()?.walk();
    }
    setup::run(&[setup::BUILD, setup::LAB, setup::VM, setup::STORAGE])?;
    build()?;
    say("a machine with Debian's kernel boots; it is emulated, so all of this takes its time");
    let program = env::current_exe()?;
    let program = program.to_str().context("this program's path: not UTF-8")?;
    let command = [program, "demo", "--three-tier"];
    let machine = Vm::new().limit(LIMIT);
    let status = machine.run_into(&command, &mut stdout(), &mut stderr())?;
    ensure!(status == 0, "it ended with status {status}");
    Ok(())
}

struct Site {
    lab: DirectRouting,
    storage: Storage,
}

impl Site {
    fn begin() -> Result<Self> {
        heading("A client, a director, three web servers, and a host with their content");
        progress::step("the hosts", |_| {
            let lab = DirectRouting::build(Lab::named(LAB)?, WEB_SERVERS)?;
            let mut host = Host::new(&lab.lab, "storage")?;
            host.join(&lab.switch, STORAGE)?;
            let storage = Storage::start(host)?;
            Ok(Self { lab, storage })
        })
    }

    fn walk(mut self) -> Result<()> {
        self.share_content()?;
        self.start_director()?;
        self.balance()?;
        self.change_content()?;
        self.take_one_out()?;
        self.end()
    }

    fn share_content(&self) -> Result<()> {
        heading("Web servers mount the content that the storage host has");
        self.write("first")?;
        for server in &self.lab.real_servers {
            let line = self.storage.mount_line(&server.content()?);
            typed(&server.host, &line)?;
        }
        Ok(())
    }

    fn write(&self, version: &str) -> Result<()> {
        let page = self.storage.content()?.join("index.html");
        let line = format!("echo 'the {version} edition' > {}", page.display());
        typed(&self.storage.host, &line).map(drop)
    }

    fn start_director(&mut self) -> Result<()> {
        heading("The director");
        let vip = self.lab.vip4();
        let director = &mut self.lab.director;
        typed(&director.host, &format!("ip addr add {vip}/32 dev eth0"))?;
        progress::step("rlvs loads and attaches its programs", |_| {
            director.start_rlvs_with(CONFIGURATION)
        })?;
        let service = with_port(vip, 80);
        typed(&director.host, &format!("ipvsadm -A -t {service} -s rr"))?;
        for server in &self.lab.real_servers {
            let real = with_port(server.host.address().v4, 80);
            let line = format!("ipvsadm -a -t {service} -r {real} -g");
            typed(&self.lab.director.host, &line)?;
            warden::tell(&server.host, "real-servers")?;
            typed(&server.host, &format!("rlvs realserver up --vip {vip}"))?;
        }
        Ok(())
    }

    fn balance(&self) -> Result<()> {
        heading(&format!("{REQUESTS} requests for one page"));
        self.shares(&[1, 1, 1])?;
        typed(&self.lab.client, &format!("curl -s {}", self.url()))?;
        typed(&self.lab.director.host, "ipvsadm -Ln --stats").map(drop)
    }

    fn change_content(&self) -> Result<()> {
        heading("The content changes in one place, and so on all web servers");
        self.write("second")?;
        let line = format!("for i in 1 2 3; do curl -s {}; done", self.url());
        wait::until("all have the new page", SOON, || {
            let pages = self.lab.client.shell(&line)?;
            Ok(pages == "the second edition\n".repeat(3))
        })?;
        typed(&self.lab.client, &line).map(drop)
    }

    fn take_one_out(&self) -> Result<()> {
        heading("One web server takes no more clients, and then ends");
        let service = with_port(self.lab.vip4(), 80);
        let first = &self.lab.real_servers[0];
        let real = with_port(first.host.address().v4, 80);
        let line = format!("ipvsadm -e -t {service} -r {real} -g -w 0");
        typed(&self.lab.director.host, &line)?;
        let nginx = first.host.directory()?.join("nginx.pid");
        typed(&first.host, &format!("kill $(cat {})", nginx.display()))?;
        self.shares(&[0, 1, 1])?;
        typed(&self.lab.director.host, "ipvsadm -Ln").map(drop)
    }

    fn end(self) -> Result<()> {
        let Self { lab, storage } = self;
        progress::step("remove the lab", |_| {
            for server in &lab.real_servers {
                server.host.run("umount", [server.content()?])?;
            }
            storage.end()?;
            drop(lab);
            Ok(())
        })
    }

    /// Who serves the page, as weights ask for it.
    fn shares(&self, weights: &[u32]) -> Result<()> {
        let words = format!("-o /dev/null -w '%header{{served-by}}\\n' {}", self.url());
        let answers = traffic::request(&self.lab.client, &words, REQUESTS)?;
        traffic::show_shares(&self.lab, weights, &answers)
    }

    fn url(&self) -> String {
        format!("http://{}/content/", self.lab.vip4())
    }
}
