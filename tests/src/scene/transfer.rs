//! A file sent through the director, of which every byte is compared.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, ensure};
use rlvs_lab::{Host, Process, wait};

use super::SOON;

const LIMIT: Duration = Duration::from_secs(60);

/// What goes from a client to `target`, the words of an address with its port, and ends at `port`
/// of a server.
#[derive(Clone, Copy, Debug)]
pub struct Transfer<'a> {
    pub client: &'a Host,
    pub server: &'a Host,
    pub target: &'a str,
    pub port: u16,
}

impl Transfer<'_> {
    /// The client sends so many bytes.
    pub fn upload(&self, bytes: usize) -> Result<()> {
        let sent = random(self.client, bytes)?;
        let got = self.server.directory()?.join("got");
        let mut server = self.listen(["-u", &self.listening(), &create(&got)])?;
        let connect = format!("TCP:{}", self.target);
        self.client.run("socat", ["-u", &open(&sent), &connect])?;
        same(&mut server, &sent, &got)
    }

    /// The client gets so many bytes.
    pub fn download(&self, bytes: usize) -> Result<()> {
        let sent = random(self.server, bytes)?;
        let got = self.client.directory()?.join("got");
        let mut server = self.listen(["-u", &open(&sent), &self.listening()])?;
        let connect = format!("TCP:{}", self.target);
        self.client.run("socat", ["-u", &connect, &create(&got)])?;
        same(&mut server, &sent, &got)
    }

    fn listening(&self) -> String {
        let family = if self.target.starts_with('[') { 6 } else { 4 };
        format!("TCP{family}-LISTEN:{},reuseaddr", self.port)
    }

    fn listen(&self, words: [&str; 3]) -> Result<Process> {
        let socat = self.server.spawn("socat", "socat", words)?;
        let filter = format!("sport = :{}", self.port);
        wait::until("the server listens", SOON, || {
            let listening = self.server.run("ss", ["-ltnH", &filter])?;
            Ok(!listening.is_empty())
        })?;
        Ok(socat)
    }
}

fn random(host: &Host, bytes: usize) -> Result<PathBuf> {
    let file = host.directory()?.join("sent");
    host.shell(&format!(
        "head -c {bytes} /dev/urandom > {}",
        file.display()
    ))?;
    Ok(file)
}

fn open(file: &Path) -> String {
    format!("OPEN:{}", file.display())
}

fn create(file: &Path) -> String {
    format!("CREATE:{}", file.display())
}

fn same(server: &mut Process, sent: &Path, got: &Path) -> Result<()> {
    ensure!(server.wait(LIMIT)?.success(), "{}", server.log());
    ensure!(fs::read(sent)? == fs::read(got)?, "another file arrived");
    Ok(())
}
