//! The endpoints: a request in, the core's answer out.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, SERVER};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::middleware::map_response;
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream;
use rlvs_control::endpoint::{
    API, CONNECTIONS, DRAINS, EVENTS, HANDOVER, OPENAPI, OVERALL, PLAN, PRODUCT, SERVICES, SITE,
    STATUS, STOP, SYNCHRONISATION, SYSCTLS, TIMEOUTS, TRANSACTION, VERSION, Version,
};
use rlvs_control::event::{Event, What};
use rlvs_control::handover::Handover;
use rlvs_control::site::Site;
use rlvs_control::stop::Stop;
use rlvs_control::{Code, ConnectionEntry, Error, Transaction};
use tokio::sync::broadcast::error::RecvError;

use super::answer::{Answer, Refusal, json, read_to_end};
use super::handle::Handle;
use super::role::Role;
use super::scrape::{self, METRICS};
use super::table::{Given, Route, Table, Take, shape};
use super::{listing, openapi};

/// All routes.
pub(super) fn table() -> Table {
    let table = Table::default();
    changes(site(questions(streams(table))))
}

/// The routes as they are served.
pub(super) fn router(handle: Handle) -> Router {
    table()
        .router
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(map_response(sign))
        .with_state(handle)
}

/// Nothing, for those who may not.
pub(super) fn refusal() -> Router {
    Router::new().fallback(refuse).layer(map_response(sign))
}

const fn read(path: &'static str, name: &'static str, about: &'static str) -> Route {
    let role = Role::Read;
    Route {
        path,
        role,
        name,
        about,
    }
}

fn questions(table: Table) -> Table {
    table
        .get(
            read(
                SERVICES,
                "services",
                "All virtual services with their destinations and counters",
            ),
            |handle: Handle| async move { handle.services().await },
        )
        .get(
            read(OVERALL, "overall", "What all services count together"),
            |handle: Handle| async move { handle.overall().await },
        )
        .get(
            read(
                STATUS,
                "status",
                "How the director fares: interfaces, next hops, packets by reason",
            ),
            |handle: Handle| async move { handle.status().await },
        )
        .get(
            read(
                TIMEOUTS,
                "timeouts",
                "Seconds after which idle connections end",
            ),
            |handle: Handle| async move { handle.timeouts().await },
        )
        .get(
            read(
                SYSCTLS,
                "sysctls",
                "The settings of IPVS; a transaction sets them",
            ),
            |handle: Handle| async move { handle.sysctls().await },
        )
        .get(
            read(
                SYNCHRONISATION,
                "synchronisation",
                "Synchronisation of connections with other directors; a transaction begins and ends it",
            ),
            |handle: Handle| async move { handle.synchronisation().await },
        )
        .get(
            read(
                DRAINS,
                "drains",
                "Destinations that are drained; a transaction begins and cancels it",
            ),
            |handle: Handle| async move { handle.drains().await },
        )
        .get(
            read(VERSION, "version", "Which director answers"),
            |_| async { Ok(Version::own()) },
        )
}

/// What comes bit by bit, and texts.
fn streams(table: Table) -> Table {
    table
        .get_as(
            read(
                CONNECTIONS,
                "connections",
                "All live connections and templates, one a line",
            ),
            Given::Stream {
                media: "application/x-ndjson",
                each: shape::<ConnectionEntry>,
            },
            |handle| async move { Ok(connections(&handle)) },
        )
        .get_as(
            read(
                EVENTS,
                "events",
                "What happens from now on, for as long as one listens",
            ),
            Given::Stream {
                media: "text/event-stream",
                each: shape::<Event>,
            },
            |handle| async move { Ok(events(&handle)) },
        )
        .get_as(
            read(
                METRICS,
                "metrics",
                "Counters and gauges in Prometheus' text format",
            ),
            Given::Text("text/plain"),
            scrape::answer,
        )
        .get_as(
            read(OPENAPI, "openapi", "This document"),
            Given::Document,
            |_| async {
                json(StatusCode::OK, &openapi::document()).map_err(|Refusal(error)| error)
            },
        )
}

fn site(table: Table) -> Table {
    let admin = |path, name, about| Route {
        role: Role::Admin,
        ..read(path, name, about)
    };
    table
        .get(
            admin(SITE, "site", "The site that was applied last"),
            |handle: Handle| async move { handle.site().await },
        )
        .take(
            Take::Put,
            admin(
                SITE,
                "apply_site",
                "Makes the director's services those of a file; what that changed",
            ),
            |handle: Handle, site: Site, _| async move { handle.apply_site(site).await },
        )
        .take(
            Take::Post,
            admin(PLAN, "plan_site", "What applying a site would change"),
            |handle: Handle, site: Site, _| async move { handle.plan(site).await },
        )
        .take(
            Take::Post,
            admin(
                HANDOVER,
                "hand_over",
                "Lets another director be master of VRRP instances; answers when it is",
            ),
            |handle: Handle, of: Handover, _| async move { handle.hand_over(of).await },
        )
        .take(
            Take::Post,
            admin(
                STOP,
                "stop",
                "Ends the daemon; forwarding goes on, is drained, or removed",
            ),
            |handle: Handle, stop: Stop, _| async move { handle.stop(stop).await },
        )
}

fn changes(table: Table) -> Table {
    let route = Route {
        role: Role::Operate,
        ..read(
            TRANSACTION,
            "transaction",
            "Makes changes in this order, all of them or none; set-sysctl, \
             start-daemon and stop-daemon need the role admin",
        )
    };
    table.take(
        Take::Post,
        route,
        |handle: Handle, transaction: Transaction, role: Role| async move {
            role.may_make(&transaction)?;
            handle.apply(transaction).await
        },
    )
}

/// A listener that is too slow is told how many it missed.
fn events(handle: &Handle) -> Response {
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

fn connections(handle: &Handle) -> Response {
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

/// The N of `/vN/...`.
fn asked_version(path: &str) -> Option<u32> {
    path.strip_prefix("/v")?.split('/').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;
    use http_body_util::Full;
    use hyper::service::Service;
    use hyper_util::service::TowerToHyperService;
    use rlvs_control::ConnectionEntry;

    use super::*;
    use crate::server::handle::ConnectionSource;

    struct NoConnections;

    impl ConnectionSource for NoConnections {
        fn visit(&self, _each: &mut dyn FnMut(ConnectionEntry) -> bool) {}
    }

    async fn answer(router: Router, role: Option<Role>, method: Method, path: &str) -> StatusCode {
        let mut request = axum::http::Request::builder()
            .method(method)
            .uri(path)
            .body(Full::new(Bytes::from_static(b"{}")))
            .unwrap();
        if let Some(role) = role {
            request.extensions_mut().insert(role);
        }
        let service = TowerToHyperService::new(router);
        service.call(request).await.unwrap().status()
    }

    /// Whoever is not known to have a role has the least.
    #[tokio::test]
    async fn every_route_wants_its_role() {
        let (handle, requests) =
            Handle::new(std::sync::Arc::new(NoConnections), Default::default());
        // Whatever gets through finds that the director is gone.
        drop(requests);
        let router = router(handle);
        let roles = [Role::Read, Role::Operate, Role::Member, Role::Admin];
        for it in table().described {
            let (path, needed) = (it.route.path, it.route.role);
            let method: Method = it.method.to_uppercase().parse().unwrap();
            let refused = StatusCode::FORBIDDEN;
            for role in roles {
                let status = answer(router.clone(), Some(role), method.clone(), path).await;
                assert_eq!(status == refused, role < needed, "{role} {method} {path}");
            }
            let status = answer(router.clone(), None, method, path).await;
            assert_eq!(status == refused, Role::Read < needed, "nobody {path}");
        }
    }
}
