//! A long transfer, whose bytes are compared when it is over.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use rlvs_lab::{Host, Process};
use rustix::fs::{CWD, FileType, Mode, mknodat};

const LIMIT: Duration = Duration::from_secs(600);
/// Bytes after which a download is well on its way.
const BEGUN: u64 = 128 << 10;
/// What a reader takes at once, and how long it then waits: the file lasts for nearly a minute.
const PIECE: usize = 32 << 10;
const PAUSE: Duration = Duration::from_millis(100);

/// A download that goes on until it is told to come to an end, however long a busy machine takes
/// for what is done meanwhile.
#[derive(Debug)]
pub struct Download {
    curl: Process,
    reader: JoinHandle<Result<()>>,
    progress: Arc<Progress>,
    file: PathBuf,
    original: PathBuf,
}

#[derive(Debug, Default)]
struct Progress {
    received: AtomicU64,
    hurries: AtomicBool,
}

impl Download {
    /// Begins one from `server`, a virtual address and port, by way of the client's `port`; the first
    /// bytes have come when this returns.
    pub fn start(host: &Host, server: &str, port: u16) -> Result<Self> {
        let file = host.directory()?.join(format!("download-{port}"));
        let pipe = host.directory()?.join(format!("pipe-{port}"));
        if !pipe.exists() {
            mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
        }
        let progress = Arc::new(Progress::default());
        let url = format!("http://{server}/big");
        let (port, output) = (port.to_string(), pipe.display().to_string());
        let limit = LIMIT.as_secs().to_string();
        let words = [
            "-sSfg",
            "--max-time",
            &limit,
            "--local-port",
            &port,
            "--output",
            &output,
            &url,
        ];
        let curl = host.spawn("download", "curl", words)?;
        let reader = {
            let (progress, file) = (Arc::clone(&progress), file.clone());
            thread::spawn(move || progress.read(&pipe, &file))
        };
        let original = host.lab().directory().join("big");
        let mut download = Self {
            curl,
            reader,
            progress,
            file,
            original,
        };
        download.wait_for(BEGUN)?;
        Ok(download)
    }

    /// Bytes that have come.
    pub fn received(&self) -> u64 {
        self.progress.received.load(Ordering::Relaxed)
    }

    /// Waits until so many bytes have come.
    pub fn wait_for(&mut self, bytes: u64) -> Result<()> {
        let progress = &self.progress;
        let received = || progress.received.load(Ordering::Relaxed);
        self.curl.wait_until(LIMIT, |_| Ok(received() >= bytes))
    }

    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.curl.exited()?.is_none())
    }

    /// Takes the rest as fast as it comes, to the end; every byte must be right.
    pub fn finish(mut self) -> Result<()> {
        self.progress.hurries.store(true, Ordering::Relaxed);
        let status = self.curl.wait(LIMIT)?;
        ensure!(status.success(), "{status}: {}", self.curl.log());
        self.reader
            .join()
            .map_err(|_| anyhow!("the reader panicked"))??;
        ensure!(
            fs::read(&self.file)? == fs::read(&self.original)?,
            "what was downloaded is not what was served"
        );
        Ok(())
    }
}

impl Progress {
    /// From `pipe` to `file`, slowly as long as nobody is in a hurry.
    fn read(&self, pipe: &Path, file: &Path) -> Result<()> {
        let mut from = File::open(pipe).with_context(|| pipe.display().to_string())?;
        let mut to = File::create(file).with_context(|| file.display().to_string())?;
        let mut piece = vec![0; PIECE];
        loop {
            let length = from.read(&mut piece)?;
            if length == 0 {
                return Ok(());
            }
            to.write_all(&piece[..length])?;
            self.received.fetch_add(length as u64, Ordering::Relaxed);
            if !self.hurries.load(Ordering::Relaxed) {
                thread::sleep(PAUSE);
            }
        }
    }
}
