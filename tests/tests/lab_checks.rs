//! Health checks of real servers of several kinds, well and broken: PostgreSQL, MariaDB, Redis, and nginx
//! with certificates that are right and over.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rcgen::{CertificateParams, Issuer, KeyPair, date_time_ymd};
use rlvs_control::ServiceKey;
use rlvs_control::status::TroubledServer;
use rlvs_lab::address::with_port;
use rlvs_lab::{Host, Masquerading, Process, wait};
use rlvs_tests::scene::status;
use rustix::process::Signal;

const SOON: Duration = Duration::from_secs(60);
const PASSWORD: &str = "checks";
/// Who is asked for, and what certificates are for.
const NAME: &str = "www.example.org";

/// What is checked: a port of the real server, and how. A service each, at the same port.
const CHECKS: [(u16, &str); 9] = [
    (80, r#"{ tcp = true }"#),
    (
        81,
        r#"{ http = { path = "/who", regex = "^rs1$" }, connect_port = 80 }"#,
    ),
    (
        82,
        r#"{ http = { path = "/who", regex = "^sick$" }, connect_port = 80 }"#,
    ),
    (
        443,
        r#"{ https = { path = "/", virtual_host = "www.example.org", tls = TLS } }"#,
    ),
    (
        444,
        r#"{ https = { path = "/", virtual_host = "www.example.org", tls = TLS } }"#,
    ),
    (
        445,
        r#"{ https = { path = "/", virtual_host = "www.example.org" }, connect_port = 444 }"#,
    ),
    (
        5432,
        r#"{ postgresql = { login = { name = "checker", password = "checks" }, database = "postgres", request = "SELECT 1" } }"#,
    ),
    (
        3306,
        r#"{ mysql = { login = { name = "checker", password = "checks" }, request = "SELECT 1" } }"#,
    ),
    (
        6379,
        r#"{ redis = { login = { name = "", password = "checks" } } }"#,
    ),
];

/// What fails while all servers are well: the wrong page, and the certificate that is over.
const NEVER: [u16; 2] = [82, 444];
/// What fails when all is broken: a TCP connection still comes about.
const BROKEN: [u16; 6] = [81, 82, 444, 3306, 5432, 6379];

struct Scene {
    lab: Masquerading,
    postgres: Process,
    mariadb: Process,
    _redis: Process,
    _tls: Process,
}

impl Scene {
    fn begin() -> Result<Self> {
        let mut lab = Masquerading::new(1)?;
        let host = &lab.real_servers[0].host;
        let authority = certify(&host.directory()?)?;
        let servers = (postgres(host)?, mariadb(host)?, redis(host)?, nginx(host)?);
        let text = file(&lab, &authority);
        lab.director.start_rlvs_with(&text)?;
        let (postgres, mariadb, _redis, _tls) = servers;
        Ok(Self {
            lab,
            postgres,
            mariadb,
            _redis,
            _tls,
        })
    }

    /// Waits until these fail, by the port of their service, and no others.
    fn wait_for(&self, ports: &[u16]) -> Result<()> {
        let wanted: BTreeSet<u16> = ports.iter().copied().collect();
        let mut last = String::new();
        let ended = wait::until(&format!("{wanted:?} fail"), SOON, || {
            let site = status(&self.lab.director)?.site.context("no site")?;
            last = format!("{site:?}");
            let down: BTreeSet<_> = site.troubled.iter().map(port).collect();
            Ok(down == wanted)
        });
        ended.context(last)
    }

    fn reason(&self, kind: &str) -> Result<String> {
        let site = status(&self.lab.director)?.site.context("no site")?;
        let mut failing = site.failing.into_iter();
        let check = failing.find(|check| check.kind == kind);
        let reason = check
            .with_context(|| format!("{kind} does not fail"))?
            .reason;
        reason.context("no reason")
    }

    fn on_server(&self, line: &str) -> Result<()> {
        self.lab.real_servers[0].host.shell(line).map(drop)
    }
}

fn port(server: &TroubledServer) -> u16 {
    match server.service {
        ServiceKey::Address { port, .. } => port,
        ServiceKey::Mark { .. } => 0,
    }
}

fn file(lab: &Masquerading, authority: &Path) -> String {
    let [vip, _] = lab.vips();
    let real = lab.real_servers[0].host.address().v4;
    let tls = format!(
        "{{ server_name = \"virtual_host\", verify = true, ca = \"{}\" }}",
        authority.display()
    );
    let mut text = "connections = 65536\n[interfaces]\nnames = [\"eth0\", \"eth1\"]\n\
                    [check]\ndelay_loop = 1\ndelay_before_retry = 1\nconnect_timeout = 1\nretry = 1\n"
        .to_owned();
    for (port, check) in CHECKS {
        text += &format!(
            "[[service]]\ntcp = \"{}\"\nmethod = \"nat\"\nreal = [{{ address = \"{}\" }}]\ncheck = {}\n",
            with_port(vip, port),
            with_port(real, port),
            check.replace("TLS", &tls),
        );
    }
    text
}

/// An authority's certificate, and of it one that is right and one that is over.
fn certify(directory: &Path) -> Result<PathBuf> {
    let key = KeyPair::generate()?;
    let mut authority = CertificateParams::new([])?;
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let file = directory.join("authority.pem");
    fs::write(&file, authority.self_signed(&key)?.pem())?;
    let issuer = Issuer::new(authority, key);
    for (name, end) in [("right", 2100), ("over", 2020)] {
        let key = KeyPair::generate()?;
        let mut certificate = CertificateParams::new([NAME.to_owned()])?;
        certificate.not_before = date_time_ymd(2000, 1, 1);
        certificate.not_after = date_time_ymd(end, 1, 1);
        let certificate = certificate.signed_by(&key, &issuer)?;
        fs::write(directory.join(format!("{name}.pem")), certificate.pem())?;
        fs::write(directory.join(format!("{name}.key")), key.serialize_pem())?;
    }
    Ok(file)
}

fn nginx(host: &Host) -> Result<Process> {
    let directory = host.directory()?.join("tls");
    fs::create_dir_all(&directory)?;
    let server = |port: u16, name: &str| {
        let file = host
            .directory()
            .map(|it| it.join(name).display().to_string());
        file.map(|file| {
            format!(
                "server {{ listen {port} ssl; ssl_certificate {file}.pem; ssl_certificate_key {file}.key; \
                 location / {{ return 200 well; }} }}\n"
            )
        })
    };
    let here = directory.display();
    let text = format!(
        "daemon off;\npid {here}/pid;\nerror_log stderr;\nevents {{}}\n\
         http {{\naccess_log off;\nclient_body_temp_path {here}/b;\nproxy_temp_path {here}/p;\n\
         fastcgi_temp_path {here}/f;\nuwsgi_temp_path {here}/u;\nscgi_temp_path {here}/s;\n{}{}}}\n",
        server(443, "right")?,
        server(444, "over")?,
    );
    let file = directory.join("nginx.conf");
    fs::write(&file, text)?;
    let mut nginx = host.spawn("tls", "nginx", ["-c".as_ref(), file.as_os_str()])?;
    let url = format!("https://{}/", host.address().v4);
    nginx.wait_until(SOON, |_| {
        Ok(host.try_run("curl", ["-sfk", &url])?.status.success())
    })?;
    Ok(nginx)
}

/// With a user who may log in from anywhere by a password.
fn postgres(host: &Host) -> Result<Process> {
    let directory = host.directory()?.join("postgres");
    let here = directory.display();
    let programs = "/usr/lib/postgresql/*/bin";
    host.shell(&format!(
        "install -d -o postgres -m 700 {here} && cd {here} && \
         runuser -u postgres -- $(echo {programs})/initdb --no-sync --auth-host=scram-sha-256 \
         -D {here}/data && \
         echo 'host all all all scram-sha-256' >> {here}/data/pg_hba.conf && \
         printf '%s\\n' \"CREATE ROLE checker LOGIN PASSWORD '{PASSWORD}'\" | \
         runuser -u postgres -- $(echo {programs})/postgres --single -D {here}/data postgres"
    ))?;
    let line = format!(
        "cd {here} && exec setpriv --reuid postgres --regid postgres --clear-groups \
         $(echo {programs})/postgres -D {here}/data -c listen_addresses='*' \
         -c unix_socket_directories={here} -c fsync=off"
    );
    let mut postgres = host.spawn("postgres", "sh", ["-c", &line])?;
    postgres.wait_until(SOON, |process| {
        Ok(process.log().contains("ready to accept connections"))
    })?;
    Ok(postgres)
}

/// With the same user, but for a failed start it says nothing.
fn mariadb(host: &Host) -> Result<Process> {
    let directory = host.directory()?.join("mariadb");
    let here = directory.display();
    let start = directory.join("start.sql");
    host.shell(&format!(
        "install -d -o nobody -m 700 {here} && \
         mariadb-install-db --user=nobody --datadir={here}/data --skip-test-db \
         --auth-root-authentication-method=normal"
    ))?;
    fs::write(
        &start,
        format!("CREATE USER checker@'%' IDENTIFIED BY '{PASSWORD}';\n"),
    )?;
    let words = [
        "--no-defaults".to_owned(),
        "--user=nobody".to_owned(),
        format!("--datadir={here}/data"),
        format!("--socket={here}/socket"),
        format!("--pid-file={here}/pid"),
        format!("--init-file={}", start.display()),
        "--bind-address=0.0.0.0".to_owned(),
        "--skip-name-resolve".to_owned(),
    ];
    let mut mariadb = host.spawn("mariadb", "mariadbd", words)?;
    mariadb.wait_until(SOON, |process| {
        Ok(process.log().contains("ready for connections"))
    })?;
    Ok(mariadb)
}

fn redis(host: &Host) -> Result<Process> {
    let words = ["--protected-mode", "no", "--save", "", "--requirepass"];
    let words = words.into_iter().chain([PASSWORD]);
    let mut redis = host.spawn("redis", "redis-server", words)?;
    redis.wait_until(SOON, |_| {
        let answer = host.try_run("redis-cli", ["-a", PASSWORD, "ping"])?;
        Ok(answer.stdout.contains("PONG"))
    })?;
    Ok(redis)
}

#[test]
fn servers_of_all_kinds_are_taken_out_for_what_is_wrong_with_them() -> Result<()> {
    let mut scene = Scene::begin()?;
    scene.wait_for(&NEVER)?;
    let reason = scene.reason("https")?;
    ensure!(reason.contains("expired"), "{reason}");

    // They hang; it has another password; connections come about, but nothing arrives.
    scene.postgres.signal(Signal::STOP)?;
    scene.mariadb.signal(Signal::STOP)?;
    scene.on_server(&format!(
        "redis-cli -a {PASSWORD} config set requirepass other"
    ))?;
    scene.on_server(
        "nft 'add table inet half; add chain inet half input { type filter hook input priority 0; }; \
         add rule inet half input tcp dport 80 tcp flags & syn == 0 drop'",
    )?;
    scene.wait_for(&BROKEN)?;
    let reason = scene.reason("redis")?;
    ensure!(reason.contains("WRONGPASS"), "{reason}");
    let reason = scene.reason("postgresql")?;
    ensure!(reason.contains("timed out"), "{reason}");

    scene.postgres.signal(Signal::CONT)?;
    scene.mariadb.signal(Signal::CONT)?;
    scene.on_server(&format!(
        "redis-cli -a other config set requirepass {PASSWORD}"
    ))?;
    scene.on_server("nft delete table inet half")?;
    scene.wait_for(&NEVER)
}
