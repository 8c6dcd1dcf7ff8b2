//! SMTP_CHECK: greeting, HELO, QUIT (RFC 5321).

use rlvs_check::machine::Adjust;

use crate::fault::Result;
use crate::stream;
use crate::talk::Talk;
use crate::target::Target;
use crate::tls::Alpn;
use crate::tools::Tools;

/// keepalived's.
const NAME: &str = "smtpchecker.keepalived.org";

pub(crate) async fn run(target: &Target, name: &str, tools: &Tools) -> Result<Adjust> {
    let stream = stream::connect(target, None, None, Alpn::None, tools).await?;
    let mut talk = Talk::new(target, stream);
    talk.expect(&[220]).await?;
    let name = if name.is_empty() { NAME } else { name };
    talk.say(&format!("HELO {name}")).await?;
    talk.expect(&[250]).await?;
    talk.say("QUIT").await?;
    talk.line().await?;
    Ok(Adjust::Keep)
}
