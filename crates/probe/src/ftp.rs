//! FTP: log in, and fetch a file (RFC 959; passive mode by RFC 2428).

use rlvs_check::machine::Adjust;
use rlvs_check::spec::Ftp;
use tokio::io::AsyncReadExt;

use crate::fault::{Fault, Result};
use crate::stream;
use crate::talk::{Talk, unexpected};
use crate::target::Target;
use crate::tls::Alpn;
use crate::tools::Tools;

/// A file is looked at as far as this.
const MOST: u64 = 1 << 20;

pub(crate) async fn run(target: &Target, ftp: &Ftp, tools: &Tools) -> Result<Adjust> {
    let stream = stream::connect(target, None, None, Alpn::None, tools).await?;
    let mut talk = Talk::new(target, stream);
    talk.expect(&[220]).await?;
    let login = ftp.login.as_ref();
    let (name, password) = login.map_or(("anonymous", "rlvs@"), |login| {
        (&login.name, &login.password)
    });
    talk.say(&format!("USER {name}")).await?;
    if talk.expect(&[230, 331]).await?.0 == 331 {
        talk.say(&format!("PASS {password}")).await?;
        talk.expect(&[230, 202]).await?;
    }
    if let Some(path) = &ftp.request {
        fetch(target, &mut talk, path, ftp, tools).await?;
    }
    talk.say("QUIT").await?;
    talk.line().await?;
    Ok(Adjust::Keep)
}

async fn fetch(
    target: &Target,
    talk: &mut Talk<'_>,
    path: &str,
    ftp: &Ftp,
    tools: &Tools,
) -> Result<()> {
    let matcher = ftp
        .receive
        .as_ref()
        .map(|regex| tools.matcher(regex))
        .transpose()?;
    talk.say("TYPE I").await?;
    talk.expect(&[200]).await?;
    talk.say("EPSV").await?;
    let (_, line) = talk.expect(&[229]).await?;
    let data = target.at(port(&line).ok_or_else(|| unexpected(&line))?);
    talk.say(&format!("RETR {path}")).await?;
    let file = data.tcp().await?;
    talk.expect(&[125, 150]).await?;
    let mut text = Vec::new();
    target
        .wait("the file", file.take(MOST).read_to_end(&mut text))
        .await?;
    talk.expect(&[226, 250]).await?;
    match matcher {
        Some(matcher) if !matcher.accepts(&text).map_err(Fault::Target)? => {
            Err(Fault::target(format!("{path}: the file is not as wanted")))
        }
        _ => Ok(()),
    }
}

/// "229 Entering Extended Passive Mode (|||6446|)".
fn port(line: &str) -> Option<u16> {
    let inside = line.rsplit_once('(')?.1.split_once(')')?.0;
    let mut letters = inside.chars();
    let delimiter = letters.next()?;
    inside.split(delimiter).nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn ports() {
        let line = "229 Entering Extended Passive Mode (|||6446|)";
        assert_eq!(super::port(line), Some(6446));
        assert_eq!(super::port("229 (x)"), None);
        assert_eq!(super::port("229 (|||99999|)"), None);
    }
}
