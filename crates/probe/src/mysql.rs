//! MySQL and MariaDB: log in, and ask something.
//!
//! mysql_common has the packets and the ways to prove a password; what follows what is here.

use bytes::BytesMut;
use mysql_common::auth::plugins::{AuthProc, ChallengeResponsePlugin, Context, Response};
use mysql_common::constants::{CapabilityFlags, UTF8MB4_GENERAL_CI};
use mysql_common::io::ParseBuf;
use mysql_common::packets::{
    AuthPlugin, AuthSwitchRequest, ErrPacket, HandshakePacket, HandshakeResponse, SslRequest,
};
use mysql_common::proto::codec::PacketCodec;
use mysql_common::proto::{MyDeserialize, MySerialize};
use rlvs_check::machine::Adjust;
use rlvs_check::spec::{Database, Tls};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::fault::{Fault, Result};
use crate::stream::Stream;
use crate::target::Target;
use crate::tls::{self, Alpn};
use crate::tools::Tools;

/// No packet of a conversation such as this is longer.
const LONGEST: usize = 1 << 20;
/// What packets begin with.
const OK: u8 = 0x00;
const MORE: u8 = 0x01;
const QUERY: u8 = 0x03;
const SWITCH: u8 = 0xfe;
const END: u8 = 0xfe;
const ERROR: u8 = 0xff;
/// A packet that begins as the end of a list does is a row if it is longer.
const LONGEST_END: usize = 8;

pub(crate) async fn run(target: &Target, database: &Database, tools: &Tools) -> Result<Adjust> {
    let mut talk = Talk::new(target, Box::new(target.tcp().await?));
    let packet = talk.read("the greeting").await?;
    if packet.first() == Some(&ERROR) {
        return Err(refusal(&packet, CapabilityFlags::empty()));
    }
    let greeting: HandshakePacket<'_> = parse(&packet, ())?;
    let capabilities = capabilities(database) & greeting.capabilities();
    if let Some(tls) = &database.tls {
        if !capabilities.contains(CapabilityFlags::CLIENT_SSL) {
            return Err(Fault::target("the server does not offer TLS"));
        }
        let request = SslRequest::new(capabilities, LONGEST as u32, UTF8MB4_GENERAL_CI as u8);
        talk.write(&serialized(&request)).await?;
        talk = talk.secured(tls, tools).await?;
    }
    log_in(&mut talk, database, &greeting, capabilities).await?;
    if let Some(request) = &database.request {
        ask(&mut talk, request, capabilities).await?;
    }
    Ok(Adjust::Keep)
}

/// What the check can do; what the server cannot is taken off.
fn capabilities(database: &Database) -> CapabilityFlags {
    let mut flags = CapabilityFlags::CLIENT_PROTOCOL_41
        | CapabilityFlags::CLIENT_SECURE_CONNECTION
        | CapabilityFlags::CLIENT_PLUGIN_AUTH
        | CapabilityFlags::CLIENT_LONG_PASSWORD;
    if !database.database.is_empty() {
        flags |= CapabilityFlags::CLIENT_CONNECT_WITH_DB;
    }
    if database.tls.is_some() {
        flags |= CapabilityFlags::CLIENT_SSL;
    }
    flags
}

async fn log_in(
    talk: &mut Talk<'_>,
    database: &Database,
    greeting: &HandshakePacket<'_>,
    capabilities: CapabilityFlags,
) -> Result<()> {
    let mut secret = Secret {
        password: database.login.password.as_bytes(),
        secure: database.tls.is_some(),
        nonce: greeting.nonce(),
    };
    let plugin = greeting
        .auth_plugin()
        .unwrap_or(AuthPlugin::MysqlNativePassword);
    let mut proof = secret.proof(&plugin)?;
    let first = secret.answer(&mut proof, &secret.nonce)?;
    let login = HandshakeResponse::new(
        first,
        (5, 7, 0),
        Some(database.login.name.as_bytes()),
        (!database.database.is_empty()).then_some(database.database.as_bytes()),
        Some(plugin.borrow()),
        capabilities,
        None,
        LONGEST as u32,
    );
    talk.write(&serialized(&login)).await?;
    loop {
        let packet = talk.read("logging in").await?;
        let answer = match packet.first() {
            Some(&OK) => return Ok(()),
            Some(&ERROR) => return Err(refusal(&packet, capabilities)),
            Some(&MORE) => secret.answer(&mut proof, &packet[1..])?,
            Some(&SWITCH) => {
                let switch: AuthSwitchRequest<'_> = parse(&packet, ())?;
                secret.nonce = switch.plugin_data().to_vec();
                proof = secret.proof(&switch.auth_plugin())?;
                secret.answer(&mut proof, &secret.nonce)?
            }
            _ => return Err(Fault::target("an answer that is none of MySQL's")),
        };
        if let Some(answer) = answer {
            talk.write(&answer).await?;
        }
    }
}

/// One row is enough, and no more are read.
async fn ask(talk: &mut Talk<'_>, request: &str, capabilities: CapabilityFlags) -> Result<()> {
    talk.codec.reset_seq_id();
    talk.write(&[&[QUERY], request.as_bytes()].concat()).await?;
    let mut ends = 0;
    let mut first = true;
    loop {
        let packet = talk.read("the answer").await?;
        let end = packet.first() == Some(&END) && packet.len() <= LONGEST_END;
        match packet.first() {
            Some(&ERROR) => return Err(refusal(&packet, capabilities)),
            // It is no query that gives rows.
            Some(&OK) if first => return Err(Fault::target("the query gives no row")),
            _ if end && ends == 1 => return Err(Fault::target("the query gives no row")),
            _ if end => ends += 1,
            // Before that come the columns.
            _ if ends == 1 => return Ok(()),
            _ => {}
        }
        first = false;
    }
}

/// A password, and how it is proven.
struct Secret<'a> {
    password: &'a [u8],
    secure: bool,
    nonce: Vec<u8>,
}

impl Secret<'_> {
    /// Without TLS, nobody gets the password as it is, or nearly so.
    fn proof(&self, plugin: &AuthPlugin<'_>) -> Result<AuthProc> {
        let bare = [AuthPlugin::MysqlClearPassword, AuthPlugin::MysqlOldPassword];
        if bare.contains(plugin) && !self.secure {
            return Err(cannot("the server wants the password without TLS"));
        }
        plugin.init().map_err(cannot)
    }

    fn answer(&self, proof: &mut AuthProc, challenge: &[u8]) -> Result<Option<Vec<u8>>> {
        match proof.run(self, challenge).map_err(cannot)? {
            Response::Next { packet } | Response::Last { packet } => Ok(packet),
        }
    }
}

impl Context for &Secret<'_> {
    fn pass(&self) -> &[u8] {
        self.password
    }

    fn is_ipc_transport(&self) -> bool {
        false
    }

    fn is_tls_transport(&self) -> bool {
        self.secure
    }

    fn scramble(&self) -> &[u8] {
        &self.nonce
    }

    fn server_key_pem(&self) -> Option<&[u8]> {
        None
    }
}

/// A conversation in packets.
struct Talk<'a> {
    target: &'a Target,
    stream: Box<dyn Stream>,
    codec: PacketCodec,
    /// What was read and belongs to the next packets.
    read: BytesMut,
}

impl<'a> Talk<'a> {
    fn new(target: &'a Target, stream: Box<dyn Stream>) -> Self {
        let mut codec = PacketCodec::default();
        codec.max_allowed_packet = LONGEST;
        Self {
            target,
            stream,
            codec,
            read: BytesMut::new(),
        }
    }

    /// The same with TLS.
    async fn secured(mut self, tls: &Tls, tools: &Tools) -> Result<Self> {
        // Nobody has signed it.
        if !self.read.is_empty() {
            return Err(Fault::target("the server talks before TLS begins"));
        }
        let stream = tls::begin(self.target, self.stream, tls, None, Alpn::None, tools);
        self.stream = Box::pin(stream).await?;
        Ok(self)
    }

    async fn read(&mut self, what: &str) -> Result<Vec<u8>> {
        let mut packet = Vec::new();
        while !self.decode(&mut packet)? {
            let read = self.stream.read_buf(&mut self.read);
            if self.target.wait(what, read).await? == 0 {
                return Err(Fault::target(format!("connection closed before {what}")));
            }
        }
        Ok(packet)
    }

    fn decode(&mut self, packet: &mut Vec<u8>) -> Result<bool> {
        let decoded = self.codec.decode(&mut self.read, packet);
        decoded.map_err(|error| Fault::target(format!("no packet of MySQL's: {error}")))
    }

    async fn write(&mut self, mut packet: &[u8]) -> Result<()> {
        let mut bytes = BytesMut::new();
        let encoded = self.codec.encode(&mut packet, &mut bytes);
        encoded.map_err(|error| Fault::here(error.to_string()))?;
        self.target
            .wait("sending", self.stream.write_all(&bytes))
            .await
    }
}

fn serialized(packet: &impl MySerialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.serialize(&mut bytes);
    bytes
}

fn parse<'a, T: MyDeserialize<'a>>(packet: &'a [u8], context: T::Ctx) -> Result<T> {
    T::deserialize(context, &mut ParseBuf(packet))
        .map_err(|error| Fault::target(format!("no packet of MySQL's: {error}")))
}

fn refusal(packet: &[u8], capabilities: CapabilityFlags) -> Fault {
    match parse::<ErrPacket<'_>>(packet, capabilities) {
        Ok(error) => Fault::target(error.to_string()),
        Err(fault) => fault,
    }
}

fn cannot(error: impl core::fmt::Display) -> Fault {
    Fault::target(format!("the way to log in: {error}"))
}
