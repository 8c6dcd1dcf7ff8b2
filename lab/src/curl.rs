//! Requests as a person makes them, with curl.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use crate::command;
use crate::host::Host;

/// Requests for one URL.
#[derive(Clone, Debug)]
pub struct Get {
    url: String,
    interface: Option<IpAddr>,
    local_port: Option<u16>,
    limit: Duration,
    output: Option<PathBuf>,
}

impl Get {
    pub fn new(url: impl Into<String>) -> Self {
        let limit = Duration::from_secs(30);
        Self {
            url: url.into(),
            interface: None,
            local_port: None,
            limit,
            output: None,
        }
    }

    /// The address to come from.
    pub fn from_address(mut self, address: impl Into<IpAddr>) -> Self {
        self.interface = Some(address.into());
        self
    }

    pub fn from_port(mut self, port: u16) -> Self {
        self.local_port = Some(port);
        self
    }

    /// For each request.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Writes the answer to a file.
    pub fn to_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.output = Some(file.into());
        self
    }

    /// One request from `host`; the answer.
    pub fn once(&self, host: &Host) -> Result<String> {
        let mut command = host.command("curl");
        command.args(self.arguments()).arg(&self.url);
        command::finish(&mut command, self.limit * 2)?.success()
    }

    /// `count` requests one after another, each in a connection of its own; the lines of all
    /// answers. The first failure ends it.
    pub fn times(&self, host: &Host, count: u32) -> Result<Vec<String>> {
        let mut command = host.command("curl");
        // curl counts a range itself; the fragment is not sent.
        command
            .args(self.arguments())
            .args(["--fail-early", "--header", "Connection: close"]);
        command.arg(format!("{}#[1-{count}]", self.url));
        let limit = self.limit.max(Duration::from_secs(5)) + Duration::from_millis(200) * count;
        let answers = command::finish(&mut command, limit)?.success()?;
        Ok(answers.lines().map(str::to_owned).collect())
    }

    /// Words for curl, but for the URL.
    pub fn arguments(&self) -> Vec<String> {
        let mut words = vec![
            "--silent".to_owned(),
            "--show-error".into(),
            "--fail".into(),
        ];
        words.extend(["--max-time".into(), self.limit.as_secs_f32().to_string()]);
        if let Some(address) = self.interface {
            words.extend(["--interface".into(), address.to_string()]);
        }
        if let Some(port) = self.local_port {
            words.extend(["--local-port".into(), port.to_string()]);
        }
        if let Some(file) = &self.output {
            words.extend(["--output".into(), file.display().to_string()]);
        }
        words
    }
}
