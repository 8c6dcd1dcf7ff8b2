//! What checking many targets takes: `cargo run --release -p rlvs-probe --example scale -- --help`.
//!
//! The targets are addresses of 127.0.0.0/8, served by a process of their own, so that what is
//! printed is the prober's alone.

use std::collections::HashMap;
use std::error::Error;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use rlvs_check::machine::{Probe, ProbeId, Standing};
use rlvs_check::spec::{Check, Connect, Http, Kind, Options, Url};
use rlvs_probe::{Prober, Task};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const HELP: &str = "\
--targets N      how many targets (10000)
--seconds N      for how long (20)
--interval S     seconds from one check to the next (2)
--http           ask for a page; without it, TCP
--keepalived F   write the same as keepalived.conf to F, and only serve the targets
";

type Result<T> = core::result::Result<T, Box<dyn Error>>;

struct Arguments {
    targets: u32,
    seconds: u64,
    interval: f64,
    http: bool,
    keepalived: Option<String>,
    serve: bool,
}

fn main() -> Result<()> {
    let arguments = arguments()?;
    if arguments.serve {
        return serve(arguments.http);
    }
    let (mut server, port) = start_server(&arguments)?;
    let result = match &arguments.keepalived {
        Some(file) => {
            fs::write(file, keepalived_conf(&arguments, port))?;
            thread::sleep(Duration::from_secs(arguments.seconds));
            Ok(())
        }
        None => check(&arguments, port),
    };
    server.kill()?;
    server.wait()?;
    result
}

fn arguments() -> Result<Arguments> {
    let mut arguments = Arguments {
        targets: 10_000,
        seconds: 20,
        interval: 2.0,
        http: false,
        keepalived: None,
        serve: false,
    };
    let mut words = env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value\n{HELP}"));
        match word.as_str() {
            "--targets" => arguments.targets = value()?.parse()?,
            "--seconds" => arguments.seconds = value()?.parse()?,
            "--interval" => arguments.interval = value()?.parse()?,
            "--http" => arguments.http = true,
            "--keepalived" => arguments.keepalived = Some(value()?),
            "--serve" => arguments.serve = true,
            _ => return Err(HELP.into()),
        }
    }
    Ok(arguments)
}

/// Checks all targets for a while, and prints what that took.
fn check(arguments: &Arguments, port: u16) -> Result<()> {
    let (prober, mut reports) = Prober::start()?;
    let idle = Usage::now()?;
    let check = the_check(arguments);
    let tasks = (0..arguments.targets).map(|target| task(&check, target, port));
    prober.add(tasks.collect());
    let end = Instant::now() + Duration::from_secs(arguments.seconds);
    let warm = Duration::from_secs_f64(arguments.interval * 2.0);
    thread::sleep(warm);
    let (start, started) = (Usage::now()?, Instant::now());
    thread::sleep(end.saturating_duration_since(Instant::now()));
    let (stop, took) = (Usage::now()?, started.elapsed().as_secs_f64());
    let mut last = HashMap::new();
    while let Ok(report) = reports.try_recv() {
        last.insert(
            report.id,
            (report.standing.up && report.standing.known, report.reason),
        );
    }
    let up = last.values().filter(|(up, _)| *up).count();
    println!(
        "targets          {} every {} s",
        arguments.targets, arguments.interval
    );
    println!("found up         {up}");
    println!(
        "CPU              {:.1} % of one",
        (stop.cpu - start.cpu) / took * 100.0
    );
    println!("memory, peak     {:.1} MB", stop.peak as f64 / 1024.0);
    println!("  before         {:.1} MB", idle.peak as f64 / 1024.0);
    if let Some((_, Some(reason))) = last.values().find(|(up, _)| !up) {
        println!("one of the rest  {reason}");
    }
    Ok(())
}

fn the_check(arguments: &Arguments) -> Arc<Check> {
    let options = Options {
        delay_loop: Some(Duration::from_secs_f64(arguments.interval)),
        connect_timeout: Some(Duration::from_secs(2)),
        ..Options::default()
    };
    let kind = match arguments.http {
        true => Kind::Http(Http::new(vec![Url::new("/")])),
        false => Kind::Tcp,
    };
    Arc::new(Check::new(kind, Connect::default(), &options))
}

fn task(check: &Arc<Check>, target: u32, port: u16) -> Task {
    Task {
        id: ProbeId(target.into()),
        standing: Standing::new(&check.timing),
        probe: Arc::new(Probe {
            check: check.clone(),
            target: SocketAddr::new(address(target).into(), port),
            through: None,
        }),
        active: true,
        ways: None,
    }
}

/// From 127.1.0.0 on.
fn address(target: u32) -> Ipv4Addr {
    Ipv4Addr::from(0x7f01_0000 + target)
}

/// Virtual servers of 100 real servers each.
fn keepalived_conf(arguments: &Arguments, port: u16) -> String {
    let mut text = String::from("global_defs {\n  router_id scale\n}\n");
    let targets: Vec<u32> = (0..arguments.targets).collect();
    let check = match arguments.http {
        true => "HTTP_GET {\n      url {\n        path /\n      }\n      connect_timeout 2\n    }",
        false => "TCP_CHECK {\n      connect_timeout 2\n    }",
    };
    for (number, servers) in targets.chunks(100).enumerate() {
        let vip = Ipv4Addr::from(0x0a00_0001 + number as u32);
        text += &format!(
            "virtual_server {vip} 80 {{\n  delay_loop {}\n",
            arguments.interval
        );
        text += "  lvs_sched rr\n  lvs_method NAT\n  protocol TCP\n";
        for server in servers {
            let server = address(*server);
            text += &format!("  real_server {server} {port} {{\n    {check}\n  }}\n");
        }
        text += "}\n";
    }
    text
}

/// What this process has used.
struct Usage {
    /// Seconds.
    cpu: f64,
    /// Kilobytes.
    peak: u64,
}

impl Usage {
    fn now() -> Result<Self> {
        let stat = fs::read_to_string("/proc/self/stat")?;
        let fields: Vec<&str> = stat
            .rsplit(") ")
            .next()
            .unwrap_or_default()
            .split(' ')
            .collect();
        let ticks = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
        let status = fs::read_to_string("/proc/self/status")?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.ok_or("no VmHWM")?.trim().trim_end_matches(" kB");
        Ok(Self {
            cpu: ticks / 100.0,
            peak: peak.parse()?,
        })
    }
}

fn start_server(arguments: &Arguments) -> Result<(Child, u16)> {
    let mut command = Command::new(env::current_exe()?);
    command.arg("--serve").stdout(std::process::Stdio::piped());
    if arguments.http {
        command.arg("--http");
    }
    let mut server = command.spawn()?;
    let mut port = [0; 2];
    server
        .stdout
        .take()
        .ok_or("no output")?
        .read_exact(&mut port)?;
    Ok((server, u16::from_be_bytes(port)))
}

/// Answers at all addresses, until it is killed.
fn serve(http: bool) -> Result<()> {
    let listener = TcpListener::bind("0.0.0.0:0")?;
    // Listening again makes the queue longer.
    rustix::net::listen(&listener, 4096)?;
    std::io::stdout().write_all(&listener.local_addr()?.port().to_be_bytes())?;
    std::io::stdout().flush()?;
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            if http {
                tokio::spawn(answer(stream));
            }
        }
    })
}

/// Who goes away early is none of our concern.
async fn answer(mut stream: tokio::net::TcpStream) {
    let mut request = [0; 1024];
    let _ = stream.read(&mut request).await;
    let page = b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nOK\n";
    let _ = stream.write_all(page).await;
}
