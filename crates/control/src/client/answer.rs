//! What is made of an answer.

use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderMap, SERVER};
use hyper::{Response, StatusCode};
use serde::de::DeserializeOwned;

use super::exchange::{broken_off, patiently};
use super::lines::Lines;
use crate::endpoint::PRODUCT;
use crate::event::Event;
use crate::{Code, ConnectionEntry, Error};

/// The answer to a change.
pub(super) async fn nothing(response: Response<Incoming>) -> Result<(), Error> {
    accepted(response).await.map(drop)
}

/// The answer to a question.
pub(super) async fn value<T: DeserializeOwned>(response: Response<Incoming>) -> Result<T, Error> {
    let response = accepted(response).await?;
    let director = director(response.headers());
    let bytes = whole(response).await?;
    serde_json::from_slice(&bytes).map_err(|error| not_understood(&director, &error))
}

/// The answer that comes line by line and is never held as a whole.
pub(super) async fn entries(
    response: Response<Incoming>,
    each: &mut dyn FnMut(ConnectionEntry) -> bool,
) -> Result<(), Error> {
    lines(response, &mut |line| {
        Ok(each(serde_json::from_slice(line)?))
    })
    .await
}

/// Server-sent events, for as long as `each` wants more.
pub(super) async fn events(
    response: Response<Incoming>,
    each: &mut dyn FnMut(Event) -> bool,
) -> Result<(), Error> {
    // Between them are empty lines, and comments that keep the connection alive.
    lines(response, &mut |line| match line.strip_prefix(b"data: ") {
        Some(data) => Ok(each(serde_json::from_slice(data)?)),
        None => Ok(true),
    })
    .await
}

async fn lines(
    response: Response<Incoming>,
    each: &mut dyn FnMut(&[u8]) -> serde_json::Result<bool>,
) -> Result<(), Error> {
    let response = accepted(response).await?;
    let director = director(response.headers());
    let mut body = response.into_body();
    let mut lines = Lines::default();
    while let Some(frame) = patiently(body.frame()).await? {
        let Ok(data) = frame.map_err(broken_off)?.into_data() else {
            continue;
        };
        let more = lines
            .feed(&data, each)
            .map_err(|error| not_understood(&director, &error))?;
        if !more {
            return Ok(());
        }
    }
    Ok(())
}

/// Tells an answer from a refusal.
async fn accepted(response: Response<Incoming>) -> Result<Response<Incoming>, Error> {
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status();
    let refusal = serde_json::from_slice(&whole(response).await?);
    Err(refusal.unwrap_or_else(|_| unexplained(status)))
}

async fn whole(response: Response<Incoming>) -> Result<Bytes, Error> {
    let body = patiently(response.into_body().collect()).await?;
    Ok(body.map_err(broken_off)?.to_bytes())
}

/// How the director names itself.
fn director(headers: &HeaderMap) -> String {
    let name = headers.get(SERVER).and_then(|value| value.to_str().ok());
    name.unwrap_or("not rlvs").to_owned()
}

fn unexplained(status: StatusCode) -> Error {
    let message = format!("The director answered {status} and no more: is it another program?");
    Error::new(Code::Internal, message)
}

/// Two versions that do not understand each other are told what would help.
fn not_understood(director: &str, error: &serde_json::Error) -> Error {
    let mut message = format!("The director's answer is not understood: {error}");
    if director != PRODUCT {
        message +=
            &format!(" (the director is {director}, this program {PRODUCT}: restart the director)");
    }
    Error::new(Code::Malformed, message)
}
