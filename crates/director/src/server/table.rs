//! The table of routes: a route is answered, guarded and described by one entry, made from the types
//! that it takes and gives. So there is none that the OpenAPI document does not know.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use rlvs_control::Error;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::answer::{Refusal, json, read_to_end, value};
use super::handle::Handle;
use super::role::Role;

/// Which route, for whom, and what for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Route {
    pub(super) path: &'static str,
    pub(super) role: Role,
    /// What programs that are made from the document call it.
    pub(super) name: &'static str,
    /// What it does, in a line.
    pub(super) about: &'static str,
}

/// A route as the document shows it.
pub(super) struct Described {
    pub(super) route: Route,
    pub(super) method: &'static str,
    pub(super) takes: Option<Shape>,
    pub(super) gives: Given,
}

/// Makes the schema of a type.
pub(super) type Shape = fn(&mut SchemaGenerator) -> Schema;

/// What a route answers.
pub(super) enum Given {
    Json(Shape),
    /// One JSON text after another: `each` is the schema of one.
    Stream {
        media: &'static str,
        each: Shape,
    },
    Text(&'static str),
    /// Any JSON.
    Document,
}

/// Routes, and what is said of them.
#[derive(Default)]
pub(super) struct Table {
    pub(super) router: Router<Handle>,
    pub(super) described: Vec<Described>,
}

impl Table {
    /// A question that JSON answers.
    pub(super) fn get<T, A, F>(self, route: Route, answer: A) -> Self
    where
        T: JsonSchema + Serialize,
        A: Fn(Handle) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        self.get_as(route, Given::Json(shape::<T>), move |handle| {
            let answer = answer(handle);
            async move { json(StatusCode::OK, &answer.await?).map_err(|Refusal(error)| error) }
        })
    }

    /// A question with an answer of any kind.
    pub(super) fn get_as<A, F>(self, route: Route, given: Given, answer: A) -> Self
    where
        A: Fn(Handle) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<Response, Error>> + Send + 'static,
    {
        let handler = move |State(handle): State<Handle>, request: Request| async move {
            if let Err(error) = role(&request).may(route.role) {
                return Refusal(error).into_response();
            }
            let answer = answer(handle).await;
            answer.unwrap_or_else(|error| Refusal(error).into_response())
        };
        let router = self
            .router
            .route(route.path, on(MethodFilter::GET, handler));
        Self { router, ..self }.note(route, "get", None, given)
    }

    /// A body that is taken, with what is to be done, by who has which role.
    pub(super) fn take<B, T, A, F>(mut self, method: Take, route: Route, answer: A) -> Self
    where
        B: DeserializeOwned + JsonSchema + Send + 'static,
        T: JsonSchema + Serialize,
        A: Fn(Handle, B, Role) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let handler = move |State(handle): State<Handle>, request: Request| async move {
            let role = role(&request);
            if let Err(error) = role.may(route.role) {
                read_to_end(request).await;
                return Err(Refusal(error));
            }
            let body = value(request).await?;
            json(StatusCode::OK, &answer(handle, body, role).await?)
        };
        let (filter, name) = match method {
            Take::Post => (MethodFilter::POST, "post"),
            Take::Put => (MethodFilter::PUT, "put"),
        };
        self.router = self.router.route(route.path, on(filter, handler));
        self.note(route, name, Some(shape::<B>), Given::Json(shape::<T>))
    }

    fn note(
        mut self,
        route: Route,
        method: &'static str,
        takes: Option<Shape>,
        gives: Given,
    ) -> Self {
        self.described.push(Described {
            route,
            method,
            takes,
            gives,
        });
        self
    }
}

/// How a body comes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Take {
    Post,
    Put,
}

/// Makes the schema of a type.
pub(super) fn shape<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// That of who asks, which the door has noted; without a note, the least.
fn role(request: &Request) -> Role {
    let noted = request.extensions().get().copied();
    noted.unwrap_or(Role::Read)
}
