//! The endpoints: a request in, the core's answer out, every refusal as JSON.

use axum::Router;
use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, SERVER, USER_AGENT};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::map_response;
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use futures::stream;
use http_body_util::BodyExt;
use rlvs_control::endpoint::{
    API, CONNECTIONS, DRAINS, EVENTS, OVERALL, PLAN, PRODUCT, REQUEST_LIMIT, SERVICES, SITE,
    STATUS, SYSCTLS, TIMEOUTS, TRANSACTION, VERSION, Version,
};
use rlvs_control::event::{Event, What};
use rlvs_control::{Code, Error};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::broadcast::error::RecvError;

use super::handle::Handle;
use super::listing;

/// Everything, for root.
pub(super) fn router(handle: Handle) -> Router {
    let site = Router::new()
        .route(SITE, get(site).put(apply_site))
        .route(PLAN, post(plan));
    finish(common().merge(site), handle)
}

/// What ipvsadm and `rlvs status` need, for members of the group. A site can name programs that are
/// run as root, and has passwords.
pub(super) fn router_of_members(handle: Handle) -> Router {
    let refused = || any(refuse_site);
    let site = Router::new().route(SITE, refused()).route(PLAN, refused());
    finish(common().merge(site), handle)
}

fn finish(routes: Router<Handle>, handle: Handle) -> Router {
    routes
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(map_response(sign))
        .with_state(handle)
}

fn common() -> Router<Handle> {
    Router::new()
        .route(TRANSACTION, post(transaction))
        .route(SERVICES, get(services))
        .route(OVERALL, get(overall))
        .route(CONNECTIONS, get(connections))
        .route(TIMEOUTS, get(timeouts))
        .route(SYSCTLS, get(sysctls))
        .route(DRAINS, get(drains))
        .route(EVENTS, get(events))
        .route(STATUS, get(status))
        .route(VERSION, get(version))
}

/// Nothing, for those who may not.
pub(super) fn refusal() -> Router {
    Router::new().fallback(refuse).layer(map_response(sign))
}

async fn transaction(State(handle): State<Handle>, request: Request) -> Answer<StatusCode> {
    handle.apply(value(request).await?).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn site(State(handle): State<Handle>) -> Answer<Response> {
    json(StatusCode::OK, &handle.site().await?)
}

async fn apply_site(State(handle): State<Handle>, request: Request) -> Answer<Response> {
    json(
        StatusCode::OK,
        &handle.apply_site(value(request).await?).await?,
    )
}

async fn plan(State(handle): State<Handle>, request: Request) -> Answer<Response> {
    json(StatusCode::OK, &handle.plan(value(request).await?).await?)
}

/// What a request brings.
async fn value<T: DeserializeOwned>(request: Request) -> Result<T, Error> {
    let (head, body) = request.into_parts();
    let bytes = whole(body).await?;
    parse(&bytes).map_err(|error| blame_versions(error, &head.headers))
}

async fn whole(body: Body) -> Result<Bytes, Error> {
    if body.size_hint().lower() > REQUEST_LIMIT as u64 {
        return Err(too_large());
    }
    to_bytes(body, REQUEST_LIMIT).await.map_err(|_| too_large())
}

async fn services(State(handle): State<Handle>) -> Answer<Response> {
    json(StatusCode::OK, &handle.services().await?)
}

async fn overall(State(handle): State<Handle>) -> Answer<Response> {
    json(StatusCode::OK, &handle.overall().await?)
}

async fn timeouts(State(handle): State<Handle>) -> Answer<Response> {
    json(StatusCode::OK, &handle.timeouts().await?)
}

async fn sysctls(State(handle): State<Handle>) -> Answer<Response> {
    json(StatusCode::OK, &handle.sysctls().await?)
}

async fn drains(State(handle): State<Handle>) -> Answer<Response> {
    json(StatusCode::OK, &handle.drains().await?)
}

async fn status(State(handle): State<Handle>) -> Answer<Response> {
    json(StatusCode::OK, &handle.status().await?)
}

async fn version() -> Answer<Response> {
    json(StatusCode::OK, &Version::own())
}

/// A listener that is too slow is told how many it missed.
async fn events(State(handle): State<Handle>) -> Response {
    let events = stream::unfold(handle.events(), |mut events| async {
        let event = match events.recv().await {
            Ok(event) => event,
            Err(RecvError::Lagged(events)) => Event::now(What::Missed { events }),
            Err(RecvError::Closed) => return None,
        };
        Some((sse::Event::default().json_data(event), events))
    });
    Sse::new(events)
        .keep_alive(KeepAlive::default())
        .into_response()
}

async fn connections(State(handle): State<Handle>) -> Response {
    let lines = listing::lines(handle.connections());
    (
        [(CONTENT_TYPE, "application/x-ndjson")],
        Body::from_stream(lines),
    )
        .into_response()
}

async fn refuse(request: Request) -> Refusal {
    read_to_end(request).await;
    Refusal(Error::new(
        Code::PermissionDenied,
        "Permission denied (you must be root)",
    ))
}

async fn refuse_site(request: Request) -> Refusal {
    read_to_end(request).await;
    Refusal(Error::new(
        Code::PermissionDenied,
        "Permission denied: only root may see and apply a site, which can name programs to be run",
    ))
}

/// A socket closed with unread data would lose the answer.
async fn read_to_end(request: Request) {
    let mut body = request.into_body();
    while let Some(Ok(_)) = body.frame().await {}
}

async fn unknown_path(uri: Uri) -> Refusal {
    let version = env!("CARGO_PKG_VERSION");
    let own = format!("The director is rlvs {version} and speaks version {API} of the API");
    let message = match asked_version(uri.path()) {
        Some(asked) if asked != API => format!(
            "{own}, the request is for version {asked}: restart the director with the rlvs \
             installed now (connections survive that)"
        ),
        _ => format!("{own}, which has no {}", uri.path()),
    };
    Refusal(Error::new(Code::Unsupported, message))
}

async fn wrong_method(method: Method, uri: Uri) -> Answer<Response> {
    let message = format!("{} does not take {method}", uri.path());
    json(
        StatusCode::METHOD_NOT_ALLOWED,
        &Error::new(Code::Malformed, message),
    )
}

/// Lets a client of another version say which director it met.
async fn sign(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(SERVER, HeaderValue::from_static(PRODUCT));
    response
}

/// A handler's answer or the refusal.
type Answer<T> = Result<T, Refusal>;

/// An error as a response.
struct Refusal(Error);

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        json(status_of(self.0.code), &self.0)
            .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
    }
}

fn json(status: StatusCode, value: &impl Serialize) -> Answer<Response> {
    let body = serde_json::to_vec(value)
        .map_err(|error| Error::new(Code::Internal, format!("Cannot write the answer: {error}")))?;
    Ok((status, [(CONTENT_TYPE, "application/json")], body).into_response())
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

/// The N of `/vN/...`.
fn asked_version(path: &str) -> Option<u32> {
    path.strip_prefix("/v")?.split('/').next()?.parse().ok()
}

fn status_of(code: Code) -> StatusCode {
    match code {
        Code::Conflict
        | Code::DestinationExists
        | Code::LocalAddressExists
        | Code::ServiceExists => StatusCode::CONFLICT,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        Code::Invalid | Code::Range | Code::UnknownPersistenceEngine | Code::UnknownScheduler => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        Code::Malformed => StatusCode::BAD_REQUEST,
        Code::NoSuchDestination | Code::NoSuchLocalAddress | Code::NoSuchService => {
            StatusCode::NOT_FOUND
        }
        Code::NotRunning => StatusCode::SERVICE_UNAVAILABLE,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::TableFull => StatusCode::INSUFFICIENT_STORAGE,
        Code::Unsupported => StatusCode::NOT_IMPLEMENTED,
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;
    use hyper::service::Service;
    use hyper_util::service::TowerToHyperService;

    use super::*;
    use crate::server::handle::ConnectionSource;

    struct NoConnections;

    impl ConnectionSource for NoConnections {
        fn visit(&self, _each: &mut dyn FnMut(rlvs_control::ConnectionEntry) -> bool) {}
    }

    async fn answer(router: Router, method: Method, path: &str) -> StatusCode {
        let request = axum::http::Request::builder()
            .method(method)
            .uri(path)
            .body(Full::new(Bytes::from_static(b"{}")))
            .unwrap();
        let service = TowerToHyperService::new(router);
        service.call(request).await.unwrap().status()
    }

    /// A site can name programs that are run as root.
    #[tokio::test]
    async fn members_of_the_group_do_not_touch_the_site() {
        let (handle, requests) =
            Handle::new(std::sync::Arc::new(NoConnections), Default::default());
        // Whatever gets through finds that the director is gone.
        drop(requests);
        let members = router_of_members(handle.clone());
        for (method, path) in [
            (Method::GET, SITE),
            (Method::PUT, SITE),
            (Method::POST, PLAN),
        ] {
            let status = answer(members.clone(), method.clone(), path).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{method} {path}");
            let status = answer(router(handle.clone()), method, path).await;
            assert_ne!(status, StatusCode::FORBIDDEN);
        }
        let services = answer(members, Method::GET, SERVICES).await;
        assert_eq!(services, StatusCode::SERVICE_UNAVAILABLE);
    }
}
