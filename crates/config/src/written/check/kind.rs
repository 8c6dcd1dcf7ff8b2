//! What a check asks, in short and in long.

use std::borrow::Cow;
use std::time::Duration;

use rlvs_check::spec::{self, Digest, Kind, Method, StatusRange, Tls, Url, Version};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::WrittenCheck;
use crate::model::command::{join, split};
use crate::suggest::nearest;
use crate::written::{Either, text_or};

/// Kinds that a word is enough for.
pub(super) const WORDS: [&str; 14] = [
    "tcp", "ping", "http", "https", "smtp", "dns", "udp", "exchange", "ftp", "imap", "pop", "ldap",
    "sip", "grpc",
];

/// Sets kinds of a check.
pub(super) struct Kinds<'a>(&'a mut WrittenCheck);

impl<'a> Kinds<'a> {
    pub(super) fn of(check: &'a mut WrittenCheck) -> Self {
        Self(check)
    }

    /// The kind of this name with its defaults.
    pub(super) fn set_usual(self, word: &str) -> Result<(), String> {
        let kind = usual(word).ok_or_else(|| unknown(word))?;
        self.0.set_kind(&kind);
        Ok(())
    }
}

fn unknown(word: &str) -> String {
    let names = WORDS.join(", ");
    let mend = nearest(word, WORDS).map(|name| format!("; did you mean `{name}`?"));
    let mend = mend.unwrap_or_default();
    format!("`{word}` is no check that a word is enough for: there are {names}{mend}")
}

fn usual(word: &str) -> Option<Kind> {
    let page = || spec::Http::new(vec![Url::new("/")]);
    Some(match word {
        "tcp" => Kind::Tcp,
        "ping" => Kind::Ping,
        "http" => Kind::Http(page()),
        "https" => Kind::Http(spec::Http {
            tls: Some(Tls::default()),
            ..page()
        }),
        "smtp" => Kind::Smtp {
            helo_name: String::new(),
        },
        "dns" => Kind::Dns(spec::Dns::default()),
        "udp" => Kind::Udp(spec::Udp::default()),
        "exchange" => Kind::Exchange(spec::Exchange::default()),
        "ftp" => Kind::Ftp(spec::Ftp::default()),
        "imap" => Kind::Imap(spec::Mailbox::default()),
        "pop" => Kind::Pop(spec::Mailbox::default()),
        "ldap" => Kind::Ldap(spec::Directory::default()),
        "sip" => Kind::Sip(spec::Sip::default()),
        "grpc" => Kind::Grpc(spec::Grpc::default()),
        _ => return None,
    })
}

impl WrittenCheck {
    /// The one kind that is named.
    pub(super) fn kind(&self) -> Result<Kind, String> {
        let mut kinds = self.kinds();
        match (kinds.pop(), kinds.pop()) {
            (Some(kind), None) => kind,
            (None, _) => {
                Err("a check needs a kind: `tcp = true`, `http = \"/\"` or another".into())
            }
            (Some(_), Some(_)) => Err("a check is of one kind: make a list of two checks".into()),
        }
    }

    fn kinds(&self) -> Vec<Result<Kind, String>> {
        let http = self.http.as_ref().map(|http| http.spec(false));
        let https = self.https.as_ref().map(|http| http.spec(true));
        let smtp = self.smtp.as_ref().map(|smtp| Kind::Smtp {
            helo_name: smtp.helo_name.clone(),
        });
        let script = self.script.as_ref().map(|it| Kind::Script(it.0.clone()));
        let simple = [
            self.tcp.map(|_| Kind::Tcp),
            self.ping.map(|_| Kind::Ping),
            smtp,
            script,
            self.dns.clone().map(Kind::Dns),
            self.udp.clone().map(Kind::Udp),
            self.file.clone().map(Kind::File),
            self.exchange.clone().map(Kind::Exchange),
            self.ftp.clone().map(Kind::Ftp),
            self.imap.clone().map(Kind::Imap),
            self.pop.clone().map(Kind::Pop),
            self.ldap.clone().map(Kind::Ldap),
            self.mysql.clone().map(Kind::Mysql),
            self.postgresql.clone().map(Kind::Postgresql),
            self.sip.clone().map(Kind::Sip),
            self.redis.clone().map(Kind::Redis),
            self.grpc.clone().map(Kind::Grpc),
        ];
        let simple = simple.into_iter().flatten().map(Ok);
        let pages = [http, https].into_iter().flatten();
        simple.chain(pages).collect()
    }

    pub(super) fn set_kind(&mut self, kind: &Kind) {
        match kind.clone() {
            Kind::Tcp => self.tcp = Some(Yes),
            Kind::Ping => self.ping = Some(Yes),
            Kind::Http(http) if http.tls.is_some() => self.https = Some(Http::of(http)),
            Kind::Http(http) => self.http = Some(Http::of(http)),
            Kind::Smtp { helo_name } => self.smtp = Some(Smtp { helo_name }),
            Kind::Dns(dns) => self.dns = Some(dns),
            Kind::Udp(udp) => self.udp = Some(udp),
            Kind::Script(script) => self.script = Some(Script(script)),
            Kind::File(file) => self.file = Some(file),
            Kind::Exchange(exchange) => self.exchange = Some(exchange),
            Kind::Ftp(ftp) => self.ftp = Some(ftp),
            Kind::Imap(mailbox) => self.imap = Some(mailbox),
            Kind::Pop(mailbox) => self.pop = Some(mailbox),
            Kind::Ldap(directory) => self.ldap = Some(directory),
            Kind::Mysql(database) => self.mysql = Some(database),
            Kind::Postgresql(database) => self.postgresql = Some(database),
            Kind::Sip(sip) => self.sip = Some(sip),
            Kind::Redis(redis) => self.redis = Some(redis),
            Kind::Grpc(grpc) => self.grpc = Some(grpc),
        }
    }

    /// The word that says all of it, if there is one.
    pub(super) fn word(&self) -> Option<&'static str> {
        let is_it = |word: &&&str| Self::named(word).as_ref() == Ok(self);
        WORDS.iter().find(is_it).copied()
    }
}

/// `true`: a kind without options.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Yes;

impl Serialize for Yes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(true)
    }
}

impl<'de> Deserialize<'de> for Yes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match bool::deserialize(deserializer)? {
            true => Ok(Self),
            false => Err(D::Error::custom(
                "leave the key out rather than set it to false",
            )),
        }
    }
}

impl JsonSchema for Yes {
    fn schema_name() -> Cow<'static, str> {
        "Yes".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "const": true })
    }
}

#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(crate) struct Smtp {
    /// "smtpchecker.keepalived.org" by default.
    #[serde(skip_serializing_if = "String::is_empty")]
    helo_name: String,
}

/// A path, or a table with one page or several.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Http(HttpForm);

#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a path, or a table")]
struct HttpForm {
    /// Path and query of the page; several have a list `urls`.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// "GET" or "HEAD".
    #[serde(skip_serializing_if = "crate::model::vrrp::is_default")]
    #[schemars(with = "String")]
    method: Method,
    /// Status codes wanted: 200, or "200-299", which is the default.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<crate::written::schema::Status>")]
    status: Vec<StatusRange>,
    /// MD5 sum of the page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    digest: Option<Digest>,
    /// What the page shall match.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<crate::written::schema::Regex>")]
    regex: Option<spec::Regex>,
    /// The Host header; the address by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    virtual_host: Option<String>,
    /// "1.0", which is the default, "1.0C" (with "Connection: close"), "1.1" or "2".
    #[serde(skip_serializing_if = "crate::model::vrrp::is_default")]
    #[schemars(with = "String")]
    version: Version,
    /// No pause between pages at the start, and on the way up.
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    fast_recovery: bool,
    /// How TLS is spoken.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<crate::written::schema::Tls>")]
    tls: Option<Tls>,
    /// Pages with the options above, one after the other.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<crate::written::schema::Url>")]
    urls: Vec<Url>,
}

impl Http {
    fn spec(&self, tls: bool) -> Result<Kind, String> {
        let form = self.0.clone();
        if form.tls.is_some() && !tls {
            return Err("`tls` is for `https`, not for `http`".into());
        }
        let tls = tls.then(|| form.tls.clone().unwrap_or_default());
        let (version, fast_recovery) = (form.version, form.fast_recovery);
        let virtual_host = form.virtual_host.clone();
        let urls = form.urls()?;
        Ok(Kind::Http(spec::Http {
            version,
            tls,
            virtual_host,
            urls,
            fast_recovery,
        }))
    }

    fn of(http: spec::Http) -> Self {
        let mut form = HttpForm {
            virtual_host: http.virtual_host,
            version: http.version,
            fast_recovery: http.fast_recovery,
            tls: http.tls.filter(|tls| *tls != Tls::default()),
            ..HttpForm::default()
        };
        match <[Url; 1]>::try_from(http.urls) {
            Ok([url]) if url.virtual_host.is_none() => form.set_page(url),
            Ok([url]) => form.urls = vec![url],
            Err(urls) => form.urls = urls,
        }
        Self(form)
    }
}

impl HttpForm {
    fn urls(self) -> Result<Vec<Url>, String> {
        let page = Url {
            path: self.path.clone().unwrap_or_else(|| "/".into()),
            method: self.method,
            virtual_host: None,
            status: self.status,
            digest: self.digest,
            regex: self.regex,
        };
        if self.urls.is_empty() {
            return Ok(vec![page]);
        }
        if self.path.is_some() || page != Url::new("/") {
            return Err("write the page itself, or a list `urls`, not both".into());
        }
        Ok(self.urls)
    }

    fn set_page(&mut self, url: Url) {
        self.path = Some(url.path);
        self.method = url.method;
        self.status = url.status;
        self.digest = url.digest;
        self.regex = url.regex;
    }
}

impl Serialize for Http {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let path = self.0.path.clone();
        let short = HttpForm {
            path,
            ..HttpForm::default()
        };
        match &self.0.path {
            Some(path) if self.0 == short => serializer.serialize_str(path),
            _ => self.0.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Http {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let of_path = |path: &str| {
            Ok(HttpForm {
                path: Some(path.to_owned()),
                ..HttpForm::default()
            })
        };
        let either = text_or(deserializer, "a path, or a table", of_path)?;
        Ok(Self(match either {
            Either::Text(form) | Either::Table(form) => form,
        }))
    }
}

impl JsonSchema for Http {
    fn schema_name() -> Cow<'static, str> {
        "Http".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let table = generator.subschema_for::<HttpForm>();
        json_schema!({ "anyOf": [{ "type": "string" }, table] })
    }
}

/// A command, or a table with more.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Script(spec::Script);

#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, expecting = "a command, or a table")]
struct ScriptForm {
    /// The program's absolute path and its arguments; quotes hold words together.
    command: String,
    /// When it is ended, and has failed; after `delay_loop` by default.
    #[serde(
        default,
        with = "spec::seconds::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<crate::written::schema::Time>")]
    timeout: Option<Duration>,
    /// Exit status 2 to 255 is a success, and the weight that is 2 less.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    dynamic: bool,
    /// Who it runs as; `keepalived_script` if there is such a user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    /// Not as root, if others than root can change it; true by default.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    secure: bool,
}

impl From<ScriptForm> for spec::Script {
    fn from(form: ScriptForm) -> Self {
        Self {
            command: split(&form.command),
            timeout: form.timeout,
            dynamic: form.dynamic,
            user: form.user,
            group: form.group,
            secure: form.secure,
        }
    }
}

impl Serialize for Script {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let script = self.0.clone();
        let command = join(&script.command);
        if script == spec::Script::new(script.command.clone()) {
            return serializer.serialize_str(&command);
        }
        let form = ScriptForm {
            command,
            timeout: script.timeout,
            dynamic: script.dynamic,
            user: script.user,
            group: script.group,
            secure: script.secure,
        };
        form.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Script {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let of_command = |text: &str| Ok(spec::Script::new(split(text)));
        match text_or(deserializer, "a command, or a table", of_command)? {
            Either::Text(script) => Ok(Self(script)),
            Either::<_, ScriptForm>::Table(form) => Ok(Self(form.into())),
        }
    }
}

impl JsonSchema for Script {
    fn schema_name() -> Cow<'static, str> {
        "Script".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let table = generator.subschema_for::<ScriptForm>();
        json_schema!({ "anyOf": [{ "type": "string" }, table] })
    }
}

fn yes() -> bool {
    true
}

fn is_true(value: &bool) -> bool {
    *value
}
