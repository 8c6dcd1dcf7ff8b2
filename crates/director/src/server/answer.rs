//! A request's body as a value, and answers: every refusal is JSON.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, USER_AGENT, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use rlvs_control::endpoint::{PRODUCT, REQUEST_LIMIT};
use rlvs_control::{Code, Error};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

/// How long the next piece of a request may take.
const PIECE: Duration = Duration::from_secs(30);

/// A handler's answer or the refusal.
pub(super) type Answer<T> = Result<T, Refusal>;

/// An error as a response.
pub(super) struct Refusal(pub(super) Error);

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = json(status_of(self.0.code), &self.0)
            .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response());
        if self.0.code == Code::Unauthorized {
            let way = axum::http::HeaderValue::from_static("Bearer");
            response.headers_mut().insert(WWW_AUTHENTICATE, way);
        }
        response
    }
}

pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Answer<Response> {
    let body = serde_json::to_vec(value)
        .map_err(|error| Error::new(Code::Internal, format!("Cannot write the answer: {error}")))?;
    Ok((status, [(CONTENT_TYPE, "application/json")], body).into_response())
}

/// What a request brings.
pub(super) async fn value<T: DeserializeOwned>(request: Request) -> Result<T, Error> {
    let (head, body) = request.into_parts();
    let bytes = whole(body).await?;
    parse(&bytes).map_err(|error| blame_versions(error, &head.headers))
}

/// A socket closed with unread data would lose the answer.
pub(super) async fn read_to_end(request: Request) {
    let mut body = request.into_body();
    while let Ok(Some(Ok(_))) = timeout(PIECE, body.frame()).await {}
}

async fn whole(mut body: Body) -> Result<Bytes, Error> {
    if body.size_hint().lower() > REQUEST_LIMIT as u64 {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    loop {
        let frame = match timeout(PIECE, body.frame()).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(None) => return Ok(bytes.into()),
            Ok(Some(Err(_))) | Err(_) => return Err(too_large()),
        };
        let data = frame.into_data().unwrap_or_default();
        if bytes.len() + data.len() > REQUEST_LIMIT {
            return Err(too_large());
        }
        bytes.extend_from_slice(&data);
    }
}

/// Parses a request.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).or_else(|_| blame(bytes))
}

/// Parses once more, for an error that names the value at fault and its place in the text: keeping
/// track of that takes as long as all the rest.
fn blame<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| malformed(&format!("{}: {}", error.path(), error.inner())))?;
    deserializer
        .end()
        .map_err(|error| malformed(&error.to_string()))?;
    Ok(value)
}

fn malformed(what: &str) -> Error {
    Error::new(Code::Malformed, format!("The request is malformed: {what}"))
}

fn too_large() -> Error {
    let limit = REQUEST_LIMIT >> 20;
    malformed(&format!("it broke off or is larger than {limit} MiB"))
}

/// A request that another version of rlvs wrote may well be right, only not for this one.
fn blame_versions(mut error: Error, headers: &HeaderMap) -> Error {
    let client = headers
        .get(USER_AGENT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if client.starts_with("rlvs/") && client != PRODUCT {
        error.message +=
            &format!(" (it is from {client}, the director is {PRODUCT}: restart the director)");
    }
    error
}

fn status_of(code: Code) -> StatusCode {
    match code {
        Code::Conflict
        | Code::DaemonRuns
        | Code::DestinationExists
        | Code::LocalAddressExists
        | Code::ServiceExists => StatusCode::CONFLICT,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        Code::Invalid | Code::Range | Code::UnknownPersistenceEngine | Code::UnknownScheduler => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        Code::Malformed => StatusCode::BAD_REQUEST,
        Code::NoSuchDaemon
        | Code::NoSuchDestination
        | Code::NoSuchInterface
        | Code::NoSuchLocalAddress
        | Code::NoSuchService => StatusCode::NOT_FOUND,
        Code::NotRunning => StatusCode::SERVICE_UNAVAILABLE,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::TableFull => StatusCode::INSUFFICIENT_STORAGE,
        Code::Unauthorized => StatusCode::UNAUTHORIZED,
        Code::Unsupported => StatusCode::NOT_IMPLEMENTED,
    }
}
