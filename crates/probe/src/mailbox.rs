//! IMAP (RFC 9051) and POP (RFC 1939): the greeting, and logging in.

use rlvs_check::machine::Adjust;
use rlvs_check::spec::Mailbox;

use crate::fault::Result;
use crate::stream;
use crate::talk::{Talk, unexpected};
use crate::target::Target;
use crate::tls::Alpn;
use crate::tools::Tools;

/// Lines that a server may say of its own accord before it answers.
const ASIDE: usize = 100;

pub(crate) async fn imap(target: &Target, mailbox: &Mailbox, tools: &Tools) -> Result<Adjust> {
    let mut talk = open(target, mailbox, tools).await?;
    let greeting = talk.line().await?;
    if !greeting.starts_with("* OK") && !greeting.starts_with("* PREAUTH") {
        return Err(unexpected(&greeting));
    }
    if let Some(login) = &mailbox.login {
        let (name, password) = (quoted(&login.name), quoted(&login.password));
        command(&mut talk, "1", &format!("LOGIN {name} {password}")).await?;
    }
    command(&mut talk, "2", "LOGOUT").await?;
    Ok(Adjust::Keep)
}

pub(crate) async fn pop(target: &Target, mailbox: &Mailbox, tools: &Tools) -> Result<Adjust> {
    let mut talk = open(target, mailbox, tools).await?;
    ok(&mut talk).await?;
    if let Some(login) = &mailbox.login {
        talk.say(&format!("USER {}", login.name)).await?;
        ok(&mut talk).await?;
        talk.say(&format!("PASS {}", login.password)).await?;
        ok(&mut talk).await?;
    }
    talk.say("QUIT").await?;
    ok(&mut talk).await?;
    Ok(Adjust::Keep)
}

async fn open<'a>(target: &'a Target, mailbox: &Mailbox, tools: &Tools) -> Result<Talk<'a>> {
    let stream = stream::connect(target, mailbox.tls.as_ref(), None, Alpn::None, tools).await?;
    Ok(Talk::new(target, stream))
}

async fn command(talk: &mut Talk<'_>, tag: &str, command: &str) -> Result<()> {
    talk.say(&format!("{tag} {command}")).await?;
    let mut line = talk.line().await?;
    for _ in 0..ASIDE {
        if let Some(result) = line.strip_prefix(tag) {
            return match result.starts_with(" OK") {
                true => Ok(()),
                false => Err(unexpected(&line)),
            };
        }
        line = talk.line().await?;
    }
    Err(unexpected(&line))
}

async fn ok(talk: &mut Talk<'_>) -> Result<()> {
    let line = talk.line().await?;
    match line.starts_with("+OK") {
        true => Ok(()),
        false => Err(unexpected(&line)),
    }
}

/// A quoted string (RFC 9051, 4.3).
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    #[test]
    fn quotes_are_escaped() {
        assert_eq!(super::quoted("a\"b\\c"), "\"a\\\"b\\\\c\"");
    }
}
