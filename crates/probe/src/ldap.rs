//! LDAP: a simple bind, and finding an entry (RFC 4511).
//!
//! Three messages, in BER with definite lengths (RFC 4511, 5.1), which is little enough to write
//! out. What comes in is read at fixed depths, never by recursion.

use rlvs_check::machine::Adjust;
use rlvs_check::spec::Directory;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::fault::{Fault, Result};
use crate::stream::{self, Stream};
use crate::target::Target;
use crate::tls::Alpn;
use crate::tools::Tools;

/// A message has at most this many bytes.
const MOST: usize = 256 << 10;
/// Entries and references before the search is done.
const MESSAGES: usize = 100;

const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const BOOLEAN: u8 = 0x01;
const ENUMERATED: u8 = 0x0a;
const SEQUENCE: u8 = 0x30;
const BIND_REQUEST: u8 = 0x60;
const BIND_RESPONSE: u8 = 0x61;
const UNBIND_REQUEST: u8 = 0x42;
const SEARCH_REQUEST: u8 = 0x63;
const SEARCH_ENTRY: u8 = 0x64;
const SEARCH_DONE: u8 = 0x65;
/// `authentication: simple [0]`; `present [7]`.
const SIMPLE: u8 = 0x80;
const PRESENT: u8 = 0x87;

pub(crate) async fn run(target: &Target, wanted: &Directory, tools: &Tools) -> Result<Adjust> {
    let matcher = wanted
        .receive
        .as_ref()
        .map(|regex| tools.matcher(regex))
        .transpose()?;
    let tls = wanted.tls.as_ref();
    let mut stream = stream::connect(target, tls, None, Alpn::None, tools).await?;
    send(target, &mut *stream, &message(1, bind(wanted))).await?;
    let answer = receive(target, &mut *stream).await?;
    succeeded(operation(&answer, 1)?, BIND_RESPONSE, "bind")?;
    send(target, &mut *stream, &message(2, search(&wanted.request))).await?;
    let entry = find(target, &mut *stream).await?;
    // A friendly good-bye that nobody waits for.
    let _ = send(target, &mut *stream, &message(3, tlv(UNBIND_REQUEST, &[]))).await;
    match matcher {
        Some(matcher) if !matcher.accepts(entry.as_bytes()).map_err(Fault::Target)? => {
            Err(Fault::target("the entry is not as wanted"))
        }
        _ => Ok(Adjust::Keep),
    }
}

fn message(number: u8, operation: Vec<u8>) -> Vec<u8> {
    tlv(SEQUENCE, &[tlv(INTEGER, &[number]), operation].concat())
}

fn bind(wanted: &Directory) -> Vec<u8> {
    let login = wanted.login.as_ref();
    let (name, password) = login.map_or(("", ""), |login| (&login.name, &login.password));
    let parts = [
        tlv(INTEGER, &[3]),
        tlv(OCTETS, name.as_bytes()),
        tlv(SIMPLE, password.as_bytes()),
    ];
    tlv(BIND_REQUEST, &parts.concat())
}

/// The entry itself, with all its attributes.
fn search(name: &str) -> Vec<u8> {
    let parts = [
        tlv(OCTETS, name.as_bytes()),
        // Scope: base object. Aliases: never dereferenced. One entry, in 10 seconds.
        tlv(ENUMERATED, &[0]),
        tlv(ENUMERATED, &[0]),
        tlv(INTEGER, &[1]),
        tlv(INTEGER, &[10]),
        tlv(BOOLEAN, &[0]),
        tlv(PRESENT, b"objectClass"),
        tlv(SEQUENCE, &[]),
    ];
    tlv(SEARCH_REQUEST, &parts.concat())
}

/// The entry that is found, as LDIF without line breaks in values.
async fn find(target: &Target, stream: &mut dyn Stream) -> Result<String> {
    let mut found = None;
    for _ in 0..MESSAGES {
        let answer = receive(target, stream).await?;
        let operation = operation(&answer, 2)?;
        match operation.0 {
            SEARCH_ENTRY => found = Some(ldif(operation.1).ok_or_else(unreadable)?),
            SEARCH_DONE => {
                succeeded(operation, SEARCH_DONE, "search")?;
                return found.ok_or_else(|| Fault::target("the entry is not there"));
            }
            _ => {}
        }
    }
    Err(Fault::target("the search does not end"))
}

async fn send(target: &Target, stream: &mut dyn Stream, message: &[u8]) -> Result<()> {
    target.wait("sending", stream.write_all(message)).await
}

/// One message, without the sequence around it.
async fn receive(target: &Target, stream: &mut dyn Stream) -> Result<Vec<u8>> {
    target.wait("the answer", read_message(stream)).await
}

async fn read_message(stream: &mut dyn Stream) -> Result<Vec<u8>> {
    let [tag, first] = [stream.read_u8().await?, stream.read_u8().await?];
    let mut length = usize::from(first);
    if first >= 0x80 {
        length = 0;
        for _ in 0..first & 0x7f {
            length = length << 8 | usize::from(stream.read_u8().await?);
            if length > MOST {
                return Err(unreadable());
            }
        }
    }
    if tag != SEQUENCE {
        return Err(unreadable());
    }
    let mut message = vec![0; length];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

/// The operation of the message with this number: its tag, and what is in it.
fn operation(message: &[u8], number: u8) -> Result<(u8, &[u8])> {
    let read = || {
        let (tag, id, rest) = read(message)?;
        let (operation, content, _) = read_after(tag == INTEGER && id == [number], rest)?;
        Some((operation, content))
    };
    read().ok_or_else(unreadable)
}

fn read_after(go_on: bool, rest: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    read(rest).filter(|_| go_on)
}

/// LDAPResult: its code is 0.
fn succeeded((tag, content): (u8, &[u8]), wanted: u8, what: &str) -> Result<()> {
    let (_, code, _) = read(content)
        .filter(|_| tag == wanted)
        .ok_or_else(unreadable)?;
    match code {
        [0] => Ok(()),
        code => Err(Fault::target(format!(
            "{what}: result code {}",
            number(code)
        ))),
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// SearchResultEntry: the name, and a sequence of attributes with sets of values.
fn ldif(content: &[u8]) -> Option<String> {
    let (_, name, rest) = read(content)?;
    let mut text = format!("dn: {}\n", String::from_utf8_lossy(name));
    let (_, mut attributes, _) = read(rest)?;
    while !attributes.is_empty() {
        let (_, attribute, rest) = read(attributes)?;
        attributes = rest;
        let (_, kind, rest) = read(attribute)?;
        let (_, mut values, _) = read(rest)?;
        while !values.is_empty() {
            let (_, value, rest) = read(values)?;
            values = rest;
            let (kind, value) = (
                String::from_utf8_lossy(kind),
                String::from_utf8_lossy(value),
            );
            text += &format!("{kind}: {value}\n");
        }
    }
    Some(text)
}

/// Tag, length and value.
fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    match u8::try_from(value.len()) {
        Ok(length) if length < 0x80 => bytes.push(length),
        _ => {
            bytes.push(0x84);
            bytes.extend((value.len() as u32).to_be_bytes());
        }
    }
    bytes.extend_from_slice(value);
    bytes
}

/// The first element: its tag, its value, and what follows it.
fn read(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    if first < 0x80 {
        let (value, rest) = rest.split_at_checked(first.into())?;
        return Some((tag, value, rest));
    }
    let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
    let length = usize::try_from(number(length)).ok()?;
    let (value, rest) = rest.split_at_checked(length)?;
    Some((tag, value, rest))
}

fn unreadable() -> Fault {
    Fault::target("the answer is not LDAP")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bind as name "cn=a" with password "b", as ldapsearch sends it.
    #[test]
    fn a_bind_on_the_wire() {
        let login = rlvs_check::spec::Login {
            name: "cn=a".into(),
            password: "b".into(),
        };
        let wanted = Directory {
            login: Some(login),
            ..Directory::default()
        };
        assert_eq!(
            message(1, bind(&wanted)),
            *b"\x30\x11\x02\x01\x01\x60\x0c\x02\x01\x03\x04\x04cn=a\x80\x01b"
        );
    }

    #[test]
    fn long_values_and_garbage() {
        let long = vec![7; 300];
        let bytes = tlv(OCTETS, &long);
        assert_eq!(read(&bytes), Some((OCTETS, &long[..], &[][..])));
        for garbage in [&[][..], &[4], &[4, 5, 1], &[4, 0x84, 1], &[4, 0xff, 1, 2]] {
            assert_eq!(read(garbage), None);
        }
        assert!(ldif(b"\x04\x01a\x30\x05\x30\x03").is_none());
    }
}
