//! One letter to a mail server, by SMTP.

use std::fs;
use std::time::Duration;

use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use rlvs_config::model::Mail;
use tokio::time::timeout;

use super::letter::Letter;

/// keepalived's default.
const CONNECT_TIMEOUT: u32 = 30;
/// All of a letter may take so many times what a connection may.
const STEPS: u32 = 5;
const PORT: u16 = 25;
const HERE: &str = "127.0.0.1";
const PROGRAM: &str = concat!("rlvs/", env!("CARGO_PKG_VERSION"));

/// Why a letter was not taken.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) reason: String,
    /// The same letter will not be taken later either.
    pub(super) is_final: bool,
}

pub(super) struct Sender {
    mail: Mail,
    host: String,
    transport: AsyncSmtpTransport<Tokio1Executor>,
    limit: Duration,
}

impl Sender {
    pub(super) fn new(mail: &Mail) -> Self {
        let host = host_name();
        let seconds = mail.connect_timeout.unwrap_or(CONNECT_TIMEOUT);
        let one = Duration::from_secs(seconds.into());
        let server = mail.server.as_deref().unwrap_or(HERE);
        let helo = mail.helo_name.clone().unwrap_or_else(|| host.clone());
        let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(server)
            .port(mail.port.unwrap_or(PORT))
            .hello_name(ClientId::Domain(helo))
            .timeout(Some(one));
        Self {
            mail: mail.clone(),
            host,
            transport: transport.build(),
            limit: STEPS * one,
        }
    }

    pub(super) fn server(&self) -> &str {
        self.mail.server.as_deref().unwrap_or(HERE)
    }

    pub(super) async fn send(&self, letter: &Letter) -> Result<(), Failed> {
        let message = self.message(letter).map_err(|reason| Failed {
            reason,
            is_final: true,
        })?;
        match timeout(self.limit, self.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(Failed {
                reason: causes(&error),
                is_final: error.is_permanent(),
            }),
            Err(_) => Err(Failed {
                reason: format!("no end within {} seconds", self.limit.as_secs()),
                is_final: false,
            }),
        }
    }

    fn message(&self, letter: &Letter) -> Result<Message, String> {
        let who = self.mail.router_id.as_ref().unwrap_or(&self.host);
        let usual = || format!("keepalived@{}", self.host);
        let from = self.mail.from.clone().unwrap_or_else(usual);
        let mut message = Message::builder()
            .from(mailbox(&from)?)
            .subject(format!("[{who}] {}", letter.subject))
            .date(letter.at)
            .user_agent(PROGRAM.to_owned())
            .header(ContentType::TEXT_PLAIN);
        for to in &self.mail.to {
            message = message.to(mailbox(to)?);
        }
        let message = message.body(letter.body.clone());
        message.map_err(|error| error.to_string())
    }
}

/// What is wrong with it, if it cannot be mailed to.
fn mailbox(text: &str) -> Result<Mailbox, String> {
    text.parse()
        .map_err(|error| format!("{text} is no mail address: {error}"))
}

fn host_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "localhost".to_owned(),
        name => name.to_owned(),
    }
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn a_letter_is_keepaliveds() {
        let sender = Sender::new(&Mail {
            to: vec!["ops@example.org".into(), "Two <two@example.org>".into()],
            from: Some("lvs@example.org".into()),
            router_id: Some("DIRECTOR".into()),
            ..Mail::default()
        });
        let letter = Letter {
            subject: "Virtualserver [192.0.2.1]:tcp:80 - DOWN".into(),
            body: "=> Lost quorum 2-0=2 > 1 <=\n".into(),
            at: SystemTime::UNIX_EPOCH,
        };
        let message = sender.message(&letter).unwrap().formatted();
        let message = String::from_utf8(message).unwrap();
        for line in [
            "From: lvs@example.org",
            "Subject: [DIRECTOR] Virtualserver [192.0.2.1]:tcp:80 - DOWN",
            "To: ops@example.org, Two <two@example.org>",
            "Date: Thu, 01 Jan 1970 00:00:00 +0000",
            "=> Lost quorum 2-0=2 > 1 <=",
        ] {
            assert!(message.lines().any(|it| it == line), "{line}: {message}");
        }
    }

    #[test]
    fn who_sends_is_known_without_being_told() {
        let sender = Sender::new(&Mail {
            to: vec!["ops@example.org".into()],
            ..Mail::default()
        });
        let letter = Letter::together(&[], 0);
        assert!(sender.message(&letter).is_ok());
    }
}
