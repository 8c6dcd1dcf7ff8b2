//! The API's description (OpenAPI 3.1), made from the table of routes and the messages' types.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use rlvs_control::Error;

use super::routes;
use super::table::{Described, Given, shape};

const ABOUT: &str = "The API of a director of rlvs. On the unix socket @rlvs of its network \
    namespace root may do everything, and members of `[control] group` what needs no more than the \
    role operate, and set settings of IPVS. Over TCP, where `[api]` has it, a token says who asks \
    and has one of the roles read, operate and admin; `x-role` is the role that an operation needs.";

/// The document.
pub(super) fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    for described in routes::table().described {
        let path = paths
            .entry(described.route.path)
            .or_insert_with(|| json!({}));
        path[described.method] = operation(&described, &mut generator);
    }
    let refusal = refusal::<Error>(&mut generator);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "rlvs",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": { "name": "Apache-2.0 OR MIT", "identifier": "Apache-2.0 OR MIT" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "responses": { "Refusal": refusal },
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
    })
}

/// The same as text.
pub fn text() -> String {
    // A document of JSON values is JSON.
    serde_json::to_string_pretty(&document()).unwrap_or_default() + "\n"
}

fn operation(described: &Described, generator: &mut SchemaGenerator) -> Value {
    let route = described.route;
    let refused = json!({ "$ref": "#/components/responses/Refusal" });
    let mut operation = json!({
        "operationId": route.name,
        "summary": route.about,
        "x-role": route.role.name(),
        "responses": {
            "200": { "description": "It is done.", "content": content(&described.gives, generator) },
            "4XX": refused,
            "5XX": refused,
        },
    });
    if let Some(takes) = described.takes {
        operation["requestBody"] = json!({
            "required": true,
            "content": { "application/json": { "schema": takes(generator) } },
        });
    }
    operation
}

fn content(gives: &Given, generator: &mut SchemaGenerator) -> Value {
    match gives {
        Given::Json(shape) => json!({ "application/json": { "schema": shape(generator) } }),
        Given::Document => json!({ "application/json": { "schema": { "type": "object" } } }),
        Given::Text(media) => json!({ *media: { "schema": { "type": "string" } } }),
        Given::Stream { media, each } => json!({
            *media: { "schema": { "type": "string" }, "x-each": each(generator) },
        }),
    }
}

fn refusal<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    json!({
        "description": "It is refused, and nothing is changed.",
        "content": { "application/json": { "schema": shape::<T>(generator) } },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `rlvs schema --api > docs/openapi.json` makes it so.
    #[test]
    fn the_document_that_is_kept_is_current() {
        let kept = include_str!("../../../../docs/openapi.json");
        assert!(kept == text(), "docs/openapi.json is old: see above");
    }

    #[test]
    fn texts_are_for_readers_of_the_document() {
        let text = text();
        assert!(!text.contains("crate::") && !text.contains("[`"));
    }

    #[test]
    fn every_operation_has_a_name_of_its_own() {
        let mut names: Vec<_> = routes::table()
            .described
            .iter()
            .map(|it| it.route.name)
            .collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
