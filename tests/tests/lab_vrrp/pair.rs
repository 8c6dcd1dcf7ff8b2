//! Two routers and a client in one segment; a router runs rlvs or keepalived.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use rlvs_control::Status;
use rlvs_control::status::{VrrpInstance, VrrpState};
use rlvs_lab::{Director, Host, Lab, Process, Segment, wait};

pub(crate) const SOON: Duration = Duration::from_secs(30);
pub(crate) const KEEPALIVED: &str = "keepalived.conf";

/// Two routers and a client in one segment.
pub(crate) struct Pair {
    pub(crate) routers: [Router; 2],
    pub(crate) client: Host,
    pub(crate) segment: Segment,
    pub(crate) lab: Lab,
}

pub(crate) struct Router {
    pub(crate) director: Director,
    pub(crate) running: Option<Process>,
}

impl Pair {
    pub(crate) fn new() -> Result<Self> {
        let lab = Lab::new()?;
        let segment = Segment::new(&lab, "segment", 0)?;
        let router = |name: &str, number| {
            let mut host = Host::new(&lab, name)?;
            host.join(&segment, number)?;
            host.forward()?;
            let director = Director::new(host)?;
            anyhow::Ok(Router {
                director,
                running: None,
            })
        };
        let routers = [router("one", 1)?, router("two", 2)?];
        let mut client = Host::new(&lab, "client")?;
        client.join(&segment, 10)?;
        Ok(Self {
            routers,
            client,
            segment,
            lab,
        })
    }

    /// Waits until one has all of these addresses, and the other has none.
    pub(crate) fn wait_for(&self, master: usize, addresses: &[&str], why: &str) -> Result<()> {
        let [has, lacks] = [&self.routers[master], &self.routers[1 - master]];
        let name = has.director.host.name();
        let outcome = wait::until(&format!("{name} is master: {why}"), SOON, || {
            Ok(has.has(addresses)? == addresses.len() && lacks.has(addresses)? == 0)
        });
        outcome.with_context(|| self.logs())
    }

    pub(crate) fn logs(&self) -> String {
        let log = |router: &Router| {
            router
                .running
                .as_ref()
                .map_or_else(String::new, Process::log)
        };
        format!("{}\n---\n{}", log(&self.routers[0]), log(&self.routers[1]))
    }
}

impl Router {
    pub(crate) fn file(&self, name: &str) -> Result<PathBuf> {
        Ok(self.director.host.directory()?.join(name))
    }

    /// With the file of that name.
    pub(crate) fn start_rlvs(&mut self, name: &str, text: &str) -> Result<()> {
        let file = self.file(name)?;
        fs::write(&file, text)?;
        let words = ["run".as_ref(), "--config".as_ref(), file.as_os_str()];
        let host = &self.director.host;
        let mut daemon = host.spawn("rlvs", "rlvs", words)?;
        daemon.wait_until(SOON, |_| {
            Ok(host.try_run("rlvs", ["status"])?.status.success())
        })?;
        self.running = Some(daemon);
        Ok(())
    }

    pub(crate) fn start_keepalived(&mut self, text: &str) -> Result<()> {
        let file = self.file(KEEPALIVED)?;
        fs::write(&file, text)?;
        let path = |name: &str| anyhow::Ok(self.file(name)?.display().to_string());
        let words = [
            "--dont-fork".to_owned(),
            "--log-console".to_owned(),
            "--vrrp".to_owned(),
            format!("--use-file={}", path(KEEPALIVED)?),
            format!("--pid={}", path("keepalived.pid")?),
            format!("--vrrp_pid={}", path("vrrp.pid")?),
        ];
        let host = &self.director.host;
        self.running = Some(host.spawn("keepalived", "keepalived", words)?);
        Ok(())
    }

    pub(crate) fn stop(&mut self) -> Result<()> {
        self.running.take().map_or(Ok(()), |mut it| it.stop())
    }

    pub(crate) fn kill9(&mut self) -> Result<()> {
        self.running.take().map_or(Ok(()), |mut it| it.kill9())
    }

    /// How many of these addresses it has.
    pub(crate) fn has(&self, addresses: &[&str]) -> Result<usize> {
        let words = ["-o", "address", "show"];
        let shown = self.director.host.run("ip", words)?;
        let has = |address: &&&str| shown.contains(&format!(" {address}/"));
        Ok(addresses.iter().filter(has).count())
    }

    pub(crate) fn rlvs(&self, line: &str) -> Result<String> {
        self.director.rlvs(line)
    }

    pub(crate) fn instances(&self) -> Result<Vec<VrrpInstance>> {
        let text = self.rlvs("status --json")?;
        Ok(serde_json::from_str::<Status>(&text)?.vrrp)
    }

    pub(crate) fn wait_for_state(&self, name: &str, state: VrrpState) -> Result<VrrpInstance> {
        let mut found = None;
        wait::until(&format!("{name} is {state}"), SOON, || {
            let all = self.instances()?;
            found = all.into_iter().find(|it| it.name == name);
            Ok(found.as_ref().is_some_and(|it| it.state == state))
        })
        .with_context(|| format!("{found:?}"))?;
        found.context("no instance")
    }
}
