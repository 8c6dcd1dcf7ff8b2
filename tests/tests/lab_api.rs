//! The API over TCP, as others on the network meet it: curl with TLS and tokens, `rlvs` and `ipvsadm`
//! from another machine, Prometheus, and somebody who only takes up connections.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rlvs_lab::address::with_port;
use rlvs_lab::command::Finished;
use rlvs_lab::director::CONFIGURATION;
use rlvs_lab::{Director, Host, Lab, Segment, wait};
use rustix::process::Signal;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);
const ROLES: [&str; 3] = ["read", "operate", "admin"];
const SERVICE: &str = "192.0.2.1:80";

/// A director with a certificate, a token of each role, and somebody on its network.
struct Scene {
    director: Director,
    other: Host,
    _lab: Lab,
}

impl Scene {
    fn begin() -> Result<Self> {
        let lab = Lab::new()?;
        let segment = Segment::new(&lab, "lan", 0)?;
        let host = |name: &str, number| {
            let mut host = Host::new(&lab, name)?;
            host.join(&segment, number)?;
            anyhow::Ok(host)
        };
        let director = Director::new(host("director", 5)?)?;
        let other = host("other", 2)?;
        let mut scene = Self {
            director,
            other,
            _lab: lab,
        };
        scene.certify()?;
        for role in ROLES {
            scene.make_token(role)?;
        }
        let file = |name: &str| scene.file(name);
        let text = format!(
            "{CONFIGURATION}\n[api]\nlisten = [\"0.0.0.0:7443\", \"[::]:7443\"]\ncertificate = {:?}\n\
             key = {:?}\ntokens = {:?}\n\n[metrics]\nlisten = \"[::]:9760\"\n\n[log]\nformat = \"json\"\n",
            file("certificate")?,
            file("key")?,
            file("tokens")?,
        );
        scene.director.start_rlvs_with(&text)?;
        Ok(scene)
    }

    fn file(&self, name: &str) -> Result<PathBuf> {
        Ok(self.director.host.directory()?.join(name))
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.file(name)?;
        fs::write(&path, text)?;
        Ok(fs::set_permissions(
            &path,
            fs::Permissions::from_mode(0o600),
        )?)
    }

    /// A new certificate for the director's addresses.
    fn certify(&self) -> Result<()> {
        let names = self.director.host.address().both();
        let made = rcgen::generate_simple_self_signed(names.map(|it| it.to_string()))?;
        self.write("certificate", &made.cert.pem())?;
        self.write("key", &made.signing_key.serialize_pem())
    }

    /// A token for a role, in a file of its name.
    fn make_token(&self, role: &str) -> Result<()> {
        let file = self.file("tokens")?.display().to_string();
        let words = ["token", role, "--role", role, "--file", &file];
        let token = self.director.host.run("rlvs", words)?;
        self.write(role, &token)
    }

    fn url(&self, port: u16, path: &str) -> String {
        let address = self.director.host.address().v6;
        let scheme = if port == 7443 { "https" } else { "http" };
        format!("{scheme}://{}{path}", with_port(address, port))
    }

    /// curl from the other machine: status and body.
    fn curl(&self, role: Option<&str>, path: &str, words: &[&str]) -> Result<(u16, String)> {
        let url = self.url(7443, path);
        let mut line = format!(
            "curl --silent --show-error --max-time 10 --cacert {} --write-out '\\n%{{http_code}}' '{url}'",
            self.file("certificate")?.display()
        );
        if let Some(role) = role {
            let file = self.file(role)?;
            line += &format!(
                " --header \"Authorization: Bearer $(cat {})\"",
                file.display()
            );
        }
        for word in words {
            line += &format!(" '{word}'");
        }
        let answer = self.other.shell(&line)?;
        let (body, status) = answer.rsplit_once('\n').context("no status")?;
        Ok((status.parse()?, body.to_owned()))
    }

    fn ask(&self, role: &str, path: &str) -> Result<Value> {
        let (status, body) = self.curl(Some(role), path, &[])?;
        ensure!(status == 200, "{path}: {status} {body}");
        Ok(serde_json::from_str(&body)?)
    }

    /// A line of shell on the other machine, for whom the director is the one to ask.
    fn elsewhere(&self, role: &str, line: &str) -> Result<Finished> {
        let line = format!(
            "export RLVS_DIRECTOR={} RLVS_TOKEN_FILE={} RLVS_CA_FILE={}; {line}",
            self.url(7443, ""),
            self.file(role)?.display(),
            self.file("certificate")?.display()
        );
        self.other.try_run("bash", ["-c", &line])
    }

    fn reload(&mut self) -> Result<()> {
        let daemon = self.director.daemon().context("no daemon")?;
        daemon.signal(Signal::HUP)
    }

    /// The value of a metric that is told to everybody.
    fn metric(&self, series: &str) -> Result<f64> {
        let text = self
            .other
            .run("curl", ["--silent", &self.url(9760, "/metrics")])?;
        let mut lines = text.lines();
        let value = lines.find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        Ok(value
            .with_context(|| format!("no {series} in\n{text}"))?
            .parse()?)
    }

    fn end(mut self) -> Result<()> {
        self.director.stop()?;
        self.director.rlvs("down").map(drop)
    }
}

#[test]
fn who_has_a_token_may_what_its_role_may() -> Result<()> {
    let mut scene = Scene::begin()?;
    let flush = ["--data", r#"{"changes":["flush"]}"#];
    let set = [
        "--data",
        r#"{"changes":[{"set-sysctl":{"name":"sloppy_tcp","value":"1"}}]}"#,
    ];
    for (role, changes, sets, site) in [
        ("read", 403, 403, 403),
        ("operate", 200, 403, 403),
        ("admin", 200, 200, 200),
    ] {
        let asked = |path: &str, words: &[&str]| {
            Ok::<_, anyhow::Error>(scene.curl(Some(role), path, words)?.0)
        };
        ensure!(asked("/v1/status", &[])? == 200);
        ensure!(asked("/v1/transaction", &flush)? == changes, "{role}");
        ensure!(asked("/v1/transaction", &set)? == sets, "{role}");
        ensure!(asked("/v1/site", &[])? == site, "{role}");
    }
    let (status, body) = scene.curl(None, "/v1/status", &[])?;
    ensure!(status == 401 && body.contains("\"unauthorized\""), "{body}");
    let words = ["--header", "Authorization: Bearer rlvs_00"];
    ensure!(scene.curl(None, "/v1/status", &words)?.0 == 401);
    ensure!(scene.metric("rlvs_api_refused_total{reason=\"unauthorized\"}")? == 2.0);

    // Rules that somebody else has changed meanwhile are left alone.
    let number = &scene.ask("read", "/v1/services")?["number"];
    let expecting = json!({ "changes": ["flush"], "expected": number }).to_string();
    let words = ["--data", expecting.as_str()];
    ensure!(scene.curl(Some("operate"), "/v1/transaction", &words)?.0 == 200);
    let (status, body) = scene.curl(Some("operate"), "/v1/transaction", &words)?;
    let refused: Value = serde_json::from_str(&body)?;
    ensure!(
        status == 409 && refused["number"].as_u64() > number.as_u64(),
        "{body}"
    );

    // One token goes, and the certificate is another.
    let tokens = fs::read_to_string(scene.file("tokens")?)?;
    let kept: Vec<_> = tokens
        .lines()
        .filter(|it| !it.starts_with("operate "))
        .collect();
    scene.write("tokens", &(kept.join("\n") + "\n"))?;
    scene.certify()?;
    scene.reload()?;
    wait::until("the token is known no longer", SOON, || {
        let asked = scene.curl(Some("operate"), "/v1/status", &[]);
        Ok(asked.is_ok_and(|(status, _)| status == 401))
    })?;
    ensure!(scene.curl(Some("read"), "/v1/status", &[])?.0 == 200);
    let daemon = scene.director.daemon().context("no daemon")?;
    for line in daemon.log().lines() {
        let _: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
    }
    scene.end()
}

#[test]
fn programs_ask_a_director_elsewhere() -> Result<()> {
    let scene = Scene::begin()?;
    let ipvsadm = |role: &str, words: &str| scene.elsewhere(role, &format!("ipvsadm {words}"));
    ipvsadm("operate", &format!("-A -t {SERVICE} -s wrr"))?.success()?;
    ipvsadm(
        "operate",
        &format!("-a -t {SERVICE} -r 10.0.0.9:80 -m -w 5"),
    )?
    .success()?;
    let saved = scene.director.ipvsadm("-Sn")?;
    ensure!(saved.contains("-w 5") && ipvsadm("read", "-Sn")?.success()? == saved);
    let refused = ipvsadm("read", "-C")?;
    ensure!(
        !refused.status.success() && !refused.stderr.is_empty(),
        "{refused:?}"
    );
    let status = scene.elsewhere("read", "rlvs status")?.success()?;
    for part in [
        "rules number 2",
        SERVICE,
        "[::]:7443     the API, by tokens and TLS",
    ] {
        ensure!(status.contains(part), "{part}\n{status}");
    }
    let refused = scene.elsewhere("operate", "rlvs sysctl -w sloppy_tcp=1")?;
    ensure!(
        refused.stderr.contains("needs the role admin"),
        "{refused:?}"
    );
    scene
        .elsewhere("admin", "rlvs sysctl -w sloppy_tcp=1")?
        .success()?;
    // A director that shows another certificate gets no token.
    let stranger = rcgen::generate_simple_self_signed(vec!["10.0.0.5".to_owned()])?;
    scene.write("authority", &stranger.cert.pem())?;
    let line = format!(
        "rlvs status --ca-file {}",
        scene.file("authority")?.display()
    );
    let refused = scene.elsewhere("read", &line)?;
    ensure!(
        refused.stderr.contains("its certificate must be"),
        "{refused:?}"
    );

    let series =
        format!("rlvs_destination_weight{{service=\"TCP {SERVICE}\",destination=\"10.0.0.9:80\"}}");
    ensure!(scene.metric(&series)? == 5.0);
    let (status, body) = scene.curl(Some("read"), "/metrics", &[])?;
    ensure!(status == 200 && body.contains(&series), "{body}");
    scene.end()
}

/// All that a running director answers is what its own document says.
#[test]
fn answers_are_as_the_document_says() -> Result<()> {
    let scene = Scene::begin()?;
    scene
        .director
        .ipvsadm(&format!("-A -t {SERVICE} -s wlc -p 300"))?;
    scene
        .director
        .ipvsadm(&format!("-a -t {SERVICE} -r 10.0.0.2:80 -g"))?;
    scene.director.ipvsadm("-A -f 7 -6 -s sh -b sh-port")?;
    scene
        .director
        .ipvsadm(&format!("-A -u {SERVICE} -s rr -o"))?;
    scene.director.ipvsadm(&format!(
        "-a -u {SERVICE} -r 10.0.0.2 -i --tun-type gue --tun-port 6080"
    ))?;
    scene.director.rlvs("drain 10.0.0.2 --detach")?;
    let document = scene.ask("read", "/v1/openapi.json")?;
    let mut asked = 0;
    for (path, operations) in document["paths"].as_object().context("no paths")? {
        let content = &operations["get"]["responses"]["200"]["content"]["application/json"];
        if let Some(schema) = content.get("schema") {
            let mut root = schema.clone();
            root["components"] = document["components"].clone();
            let validator = jsonschema::draft202012::new(&root)?;
            let answer = scene.ask("admin", path)?;
            let wrong: Vec<_> = validator.iter_errors(&answer).collect();
            ensure!(wrong.is_empty(), "{path}: {wrong:?}\n{answer}");
            asked += 1;
        }
    }
    ensure!(asked >= 9, "{asked}");
    scene.end()
}

/// To journald the daemon says how important a line is, and leaves the time to it.
#[test]
fn the_log_is_as_journald_wants_it() -> Result<()> {
    let lab = Lab::new()?;
    let director = Director::new(Host::new(&lab, "director")?)?;
    let file = director.configuration_file()?;
    let text = CONFIGURATION.replace("\"eth0\"", "\"none0\"") + "\n[log]\nlevel = \"debug\"\n";
    fs::write(&file, text)?;
    // journald's stream is known by its device and inode.
    let line = "exec env JOURNAL_STREAM=$(stat --dereference --format %d:%i /dev/stderr) \
                rlvs run --config \"$0\" --log info";
    let words = ["-c", line, file.to_str().context("a path")?];
    let mut daemon = director.host.spawn("rlvs", "bash", words)?;
    let host = &director.host;
    daemon.wait_until(Duration::from_secs(240), |_| {
        Ok(host.try_run("ipvsadm", ["-Ln"])?.status.success())
    })?;
    daemon.signal(Signal::HUP)?;
    daemon.stop()?;
    let log = daemon.log();
    ensure!(log.contains("<6>INFO the director is ready"), "{log}");
    let is_right = |line: &str| {
        let rest = line.strip_prefix('<').and_then(|it| it.split_once('>'));
        rest.is_some_and(|(priority, text)| {
            matches!(priority, "3" | "4" | "6") && !text.contains("DEBUG")
        })
    };
    ensure!(log.lines().all(is_right), "{log}");
    director.rlvs("down").map(drop)
}

#[test]
fn a_flood_of_idle_connections_hurts_nobody() -> Result<()> {
    let scene = Scene::begin()?;
    let address = scene.director.host.address().v4;
    let line = format!(
        "for number in $(seq 400); do exec {{it}}<>/dev/tcp/{address}/7443; done; echo all; sleep 1000"
    );
    let mut flood = scene.other.spawn("flood", "bash", ["-c", &line])?;
    wait::until("all are connected", SOON, || {
        Ok(flood.log().contains("all"))
    })?;
    ensure!(scene.curl(Some("read"), "/v1/status", &[])?.0 == 200);
    scene.director.ipvsadm("-Ln")?;
    let crowded = scene.metric("rlvs_api_refused_total{reason=\"crowded-out\"}")?;
    ensure!(crowded >= 300.0, "{crowded}");
    flood.stop()?;
    scene.end()
}
