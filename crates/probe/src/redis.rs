//! Redis: PING, and the role of a replica set's member.

use rlvs_check::machine::Adjust;
use rlvs_check::spec::Redis;

use crate::fault::{Fault, Result};
use crate::stream;
use crate::talk::{Talk, unexpected};
use crate::target::Target;
use crate::tls::Alpn;
use crate::tools::Tools;

/// Lines of INFO that are looked at.
const LINES: usize = 100;

pub(crate) async fn run(target: &Target, redis: &Redis, tools: &Tools) -> Result<Adjust> {
    let stream = stream::connect(target, redis.tls.as_ref(), None, Alpn::None, tools).await?;
    let mut talk = Talk::new(target, stream);
    if let Some(login) = &redis.login {
        let words: &[&str] = match login.name.as_str() {
            "" => &["AUTH", &login.password],
            name => &["AUTH", name, &login.password],
        };
        talk.send(&command(words)).await?;
        expect(&mut talk, "+OK").await?;
    }
    talk.send(&command(&["PING"])).await?;
    expect(&mut talk, "+PONG").await?;
    if let Some(role) = &redis.role {
        talk.send(&command(&["INFO", "replication"])).await?;
        has_role(&mut talk, role).await?;
    }
    Ok(Adjust::Keep)
}

/// An array of bulk strings, as clients send commands.
fn command(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len());
    for word in words {
        bytes += &format!("${}\r\n{word}\r\n", word.len());
    }
    bytes.into_bytes()
}

async fn expect(talk: &mut Talk<'_>, wanted: &str) -> Result<()> {
    let line = talk.line().await?;
    match line == wanted {
        true => Ok(()),
        false => Err(unexpected(&line)),
    }
}

async fn has_role(talk: &mut Talk<'_>, wanted: &str) -> Result<()> {
    for _ in 0..LINES {
        let line = talk.line().await?;
        if line.starts_with('-') {
            return Err(unexpected(&line));
        }
        if let Some(role) = line.strip_prefix("role:") {
            return match role == wanted {
                true => Ok(()),
                false => Err(Fault::target(format!("its role is {role}, not {wanted}"))),
            };
        }
    }
    Err(Fault::target("it does not tell its role"))
}
