//! HTTP_GET and SSL_GET: one page.

use core::future::Future;
use core::pin::pin;
use std::sync::Arc;

use md5::{Digest as _, Md5};
use rlvs_check::machine::Adjust;
use rlvs_check::spec::{Http, Method, Url, Version};

use crate::fault::{Fault, Result};
use crate::regex::Matcher;
use crate::stream;
use crate::target::Target;
use crate::tls::Alpn;
use crate::tools::Tools;
use crate::{http1, http2};

/// What servers see in their logs; keepalived's, for sites leave it out of statistics by its name.
pub(crate) const AGENT: &str = "KeepAliveClient";
/// A body is matched as far as this.
const MATCHED: usize = 1 << 20;
/// A body of which a sum is wanted may have this many bytes.
const SUMMED: usize = 64 << 20;
/// A body that nobody looks at is read to here, so that the server sees a well-behaved client.
const PASSED: usize = 1 << 20;

/// Asks for page number `step`.
pub(crate) async fn run(
    target: &Target,
    http: &Http,
    step: usize,
    tools: &Tools,
) -> Result<Adjust> {
    let url = http
        .urls
        .get(step)
        .ok_or_else(|| Fault::here("no URL is given"))?;
    let virtual_host = url.virtual_host.as_deref().or(http.virtual_host.as_deref());
    let alpn = match http.version {
        Version::Http2 => Alpn::H2,
        _ => Alpn::None,
    };
    let stream = stream::connect(target, http.tls.as_ref(), virtual_host, alpn, tools).await?;
    let host = virtual_host.map_or_else(|| host(target, http), str::to_owned);
    let wanted = Wanted::new(url, tools)?;
    match http.version {
        Version::Http2 => {
            let request = http2::get(&host, url, http.tls.is_some())?;
            Box::pin(http2::page(target, stream, request, wanted)).await
        }
        version => {
            let request = http1::get(&host, url, version)?;
            http1::page(target, stream, request, wanted).await
        }
    }
}

/// The Host header without a virtual host: the address, and the port if it is not the usual one.
fn host(target: &Target, http: &Http) -> String {
    let usual = if http.tls.is_some() { 443 } else { 80 };
    let address = target.address;
    match address.port() == usual {
        false => address.to_string(),
        true if address.is_ipv6() => format!("[{}]", address.ip()),
        true => address.ip().to_string(),
    }
}

/// Lets a connection go on while it is worked with.
pub(crate) async fn alongside<T>(connection: impl Future, work: impl Future<Output = T>) -> T {
    let (mut connection, mut work) = (pin!(connection), pin!(work));
    tokio::select! {
        biased;
        result = &mut work => result,
        _ = &mut connection => work.await,
    }
}

/// What a page shall be, and what of it has come.
pub(crate) struct Wanted<'a> {
    url: &'a Url,
    matcher: Option<Arc<Matcher>>,
    body: Vec<u8>,
    sum: Md5,
    length: usize,
}

impl<'a> Wanted<'a> {
    fn new(url: &'a Url, tools: &Tools) -> Result<Self> {
        let regex = url.regex.as_ref();
        Ok(Self {
            url,
            matcher: regex.map(|regex| tools.matcher(regex)).transpose()?,
            body: Vec::new(),
            sum: Md5::new(),
            length: 0,
        })
    }

    pub(crate) fn method(&self) -> Method {
        self.url.method
    }

    pub(crate) fn status(&self, status: u16) -> Result<()> {
        match self.url.accepts(status) {
            true => Ok(()),
            false => Err(Fault::target(format!("{}: status {status}", self.url.path))),
        }
    }

    pub(crate) fn wants_more(&self) -> bool {
        let matched = self.matcher.is_some() && self.length < MATCHED;
        self.url.digest.is_some() || matched || self.length < PASSED
    }

    pub(crate) fn part(&mut self, part: &[u8]) -> Result<()> {
        self.length += part.len();
        if self.url.digest.is_some() {
            self.sum.update(part);
            if self.length > SUMMED {
                let path = &self.url.path;
                return Err(Fault::target(format!(
                    "{path}: more than {SUMMED} bytes to sum up"
                )));
            }
        }
        if self.matcher.is_some() {
            let room = MATCHED - self.body.len();
            self.body.extend_from_slice(&part[..part.len().min(room)]);
        }
        Ok(())
    }

    pub(crate) fn end(self) -> Result<Adjust> {
        let path = &self.url.path;
        if let Some(digest) = self.url.digest {
            let sum: [u8; 16] = self.sum.finalize().into();
            if sum != digest.0 {
                let sum = rlvs_check::spec::Digest(sum);
                return Err(Fault::target(format!("{path}: MD5 {sum}, not {digest}")));
            }
        }
        if let Some(matcher) = &self.matcher
            && !matcher.accepts(&self.body).map_err(Fault::Target)?
        {
            return Err(Fault::target(format!("{path}: the body is not as wanted")));
        }
        Ok(Adjust::Keep)
    }
}
