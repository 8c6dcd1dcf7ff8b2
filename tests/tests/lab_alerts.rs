//! Who is told when something changes: people by mail, the reader of a FIFO, and scripts at a
//! daemon's start and end.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rlvs_lab::address::with_port;
use rlvs_lab::{Masquerading, wait};
use rlvs_tests::mail::mail_server;
use rlvs_tests::scene::status;
use rustix::process::Signal;

const SOON: Duration = Duration::from_secs(60);

/// Two mail servers behind a virtual address, and a third for the director's own mail.
fn file(lab: &Masquerading, directory: &Path) -> String {
    let [vip, _] = lab.vips();
    let real = |n: usize| with_port(lab.real_servers[n].host.address().v4, 25);
    let mail = lab.real_servers[2].host.address().v4;
    let notes = directory.join("notes");
    let note = |words: &str| format!("/bin/sh -c 'echo {words} >> {}'", notes.display());
    format!(
        r#"connections = 65536
[interfaces]
names = ["eth0", "eth1"]

[alerts]
startup_script = {{ command = "{}", user = "root" }}
shutdown_script = {{ command = "{}", user = "root" }}

[alerts.mail]
to = ["ops@example.org", "two@example.org"]
from = "lvs@example.org"
router_id = "LAB"
server = "{mail}"
connect_timeout = 5

[alerts.lvs_fifo]
path = "{fifo}"
script = {{ command = "/bin/sh {reader} one", user = "root" }}

[[service]]
tcp = "{}"
method = "nat"
smtp_alert = true
check = {{ smtp = {{}}, delay_loop = 1, retry = 0, connect_timeout = 1 }}
real = [{{ address = "{}" }}, {{ address = "{}" }}]
"#,
        note("begins"),
        note("ends"),
        with_port(vip, 25),
        real(0),
        real(1),
        fifo = directory.join("fifo").display(),
        reader = directory.join("reader").display(),
    )
}

/// Notes what it is given, what it reads, and that it is asked to end.
const READER: &str = "trap 'echo reader ends >> NOTES; exit' TERM
echo reader $# $1 >> NOTES
exec 3<> $2
while read line <&3; do echo $line >> NOTES; done
";

#[test]
fn people_and_scripts_are_told() -> Result<()> {
    let mut lab = Masquerading::new(3)?;
    let mut servers: Vec<_> = lab
        .real_servers
        .iter()
        .map(|it| mail_server(&it.host))
        .collect::<Result<_>>()?;
    let mut mail = servers.pop().context("three mail servers")?;
    let directory = lab.director.host.directory()?;
    let notes = directory.join("notes");
    let reader = READER.replace("NOTES", &notes.display().to_string());
    fs::write(directory.join("reader"), reader)?;
    let text = file(&lab, &directory);
    lab.director.start_rlvs_with(&text)?;
    let wait_for = |words: &str| {
        wait::until(words, SOON, || {
            Ok(fs::read_to_string(&notes).is_ok_and(|notes| notes.contains(words)))
        })
    };
    let letters = mail.log_file().to_owned();
    let wait_for_mail = |words: &str| {
        wait::until(words, SOON, || {
            Ok(fs::read_to_string(&letters)?.contains(words))
        })
    };
    wait_for("reader 2 one\n")?;
    wait_for_mail("Subject: [LAB] Virtualserver [10.0.0.100]:tcp:25 - UP\n")?;
    wait_for_mail("=> Starting with quorum up 1+0=1 <= 2 <=\n")?;

    servers[0].stop()?;
    let down = "RS [10.0.1.11]:tcp:25 [10.0.0.100]:tcp:25 DOWN\n";
    wait_for(down)?;
    wait_for_mail(
        "Subject: [LAB] Realserver [10.0.1.11]:tcp:25 of virtual server\n \
         [10.0.0.100]:tcp:25 - DOWN\n",
    )?;
    wait_for_mail("=> SMTP CHECK failed on service : ")?;
    for words in [
        "From: lvs@example.org\n",
        "To: ops@example.org, two@example.org\n",
    ] {
        ensure!(mail.log().contains(words), "{}", mail.log());
    }

    // A mail server that hangs keeps nobody waiting, and gets its mail when it is back.
    mail.signal(Signal::STOP)?;
    servers[1].stop()?;
    wait_for("RS [10.0.1.12]:tcp:25 [10.0.0.100]:tcp:25 DOWN\n")?;
    wait_for("VS [10.0.0.100]:tcp:25 DOWN\n")?;
    let troubled = status(&lab.director)?.site.context("no site")?.troubled;
    ensure!(troubled.len() == 1 && !troubled[0].quorum, "{troubled:?}");
    mail.signal(Signal::CONT)?;
    wait_for_mail("=> Lost quorum 1-0=1 > 0 <=\n")?;

    lab.director.stop()?;
    let all = fs::read_to_string(&notes)?;
    let told: Vec<_> = all.lines().collect();
    ensure!(told.first() == Some(&"begins"), "{all}");
    ensure!(told.ends_with(&["reader ends", "ends"]), "{all}");
    Ok(())
}
