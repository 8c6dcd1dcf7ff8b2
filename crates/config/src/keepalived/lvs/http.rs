//! `HTTP_GET` and `SSL_GET`.

use rlvs_check::spec::{Http, Regex, RegexOption, ServerName, StatusRange, Url, Version};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};

use super::super::block::{Keyword, block, read_block, unacted, value};
use super::super::notes::Notes;
use super::super::tree::Statement;
use super::checker::CheckDraft;
use super::kinds::KindDraft;

pub(super) const HTTP_GET: &[Keyword<CheckDraft>] = &[URL, PROTOCOL, RECOVERY, COMPLIANT];
pub(super) const SSL_GET: &[Keyword<CheckDraft>] = &[
    URL,
    PROTOCOL,
    RECOVERY,
    COMPLIANT,
    value(&["enable_sni"], |it, notes, line| {
        if notes.flag(line) == Some(true) {
            set_server_name(it, ServerName::VirtualHost);
        }
    }),
    value(&["sni_name"], |it, notes, line| {
        if let Some(name) = notes.text(line) {
            set_server_name(it, ServerName::Name(name));
        }
    }),
];

const URL: Keyword<CheckDraft> = block(&["url"], |it, notes, line| {
    let mut page = Page {
        url: Url::new(""),
        regex: Regex::new(""),
    };
    read_block(line, &[PAGE], &mut page, notes);
    if page.url.path.is_empty() {
        return notes.wrong(line, "its `path` is missing; the page is left out");
    }
    if !page.regex.pattern.is_empty() {
        page.url.regex = Some(page.regex);
    }
    if let Some(http) = http(it) {
        http.urls.push(page.url);
    }
});
const PROTOCOL: Keyword<CheckDraft> = value(&["http_protocol"], |it, notes, line| {
    let word = notes.choice(line, &["1.0", "1.0C", "1.1"]);
    let version = word.map(|word| match word.as_str() {
        "1.1" => Version::Http11,
        "1.0C" => Version::Http10Close,
        _ => Version::Http10,
    });
    if let (Some(http), Some(version)) = (http(it), version) {
        http.version = version;
    }
});
const RECOVERY: Keyword<CheckDraft> = value(&["fast_recovery"], |it, notes, line| {
    if let (Some(http), Some(on)) = (http(it), notes.flag(line)) {
        http.fast_recovery = on;
    }
});
const COMPLIANT: Keyword<CheckDraft> = unacted(
    &["tls_compliant"],
    "a connection that ends without TLS's own farewell is taken as ended",
);

fn http(it: &mut CheckDraft) -> Option<&mut Http> {
    match &mut it.kind {
        KindDraft::Http(http) => Some(http),
        _ => None,
    }
}

fn set_server_name(it: &mut CheckDraft, name: ServerName) {
    if let Some(tls) = http(it).and_then(|http| http.tls.as_mut()) {
        tls.server_name = name;
    }
}

/// A page, and what its answer shall match.
struct Page {
    url: Url,
    regex: Regex,
}

const PAGE: &[Keyword<Page>] = &[
    value(&["path"], |page, notes, line| {
        page.url.path = notes.text(line).unwrap_or_default();
    }),
    value(&["digest"], |page, notes, line| {
        page.url.digest = notes.parsed(line, "MD5 sum of 32 digits");
    }),
    value(&["status_code"], |page, notes, line| {
        for word in line.parameters() {
            match word.text.parse::<StatusRange>() {
                Ok(range) => page.url.status.push(range),
                Err(message) => notes.warn(word.place, line.keyword(), message),
            }
        }
    }),
    value(&["virtualhost"], |page, notes, line| {
        page.url.virtual_host = notes.text(line);
    }),
    value(&["regex"], |page, notes, line| {
        page.regex.pattern = notes.text(line).unwrap_or_default();
    }),
    value(&["regex_no_match"], |page, notes, line| {
        page.regex.no_match = notes.flag(line).unwrap_or_default();
    }),
    value(&["regex_options"], |page, notes, line| {
        page.regex.options.extend(regex_options(notes, line));
    }),
    value(&["regex_min_offset"], |page, notes, line| {
        page.regex.min_offset = notes.number(line, 0..=usize::MAX).unwrap_or_default();
    }),
    value(&["regex_max_offset"], |page, notes, line| {
        page.regex.max_offset = notes.number(line, 0..=usize::MAX);
    }),
    unacted(
        &["regex_stack"],
        "expressions have no stack of their own here",
    ),
    COMPLIANT_PAGE,
];
const COMPLIANT_PAGE: Keyword<Page> = unacted(
    &["tls_compliant"],
    "a connection that ends without TLS's own farewell is taken as ended",
);

fn regex_options(notes: &mut Notes, line: &Statement) -> Vec<RegexOption> {
    let mut options = Vec::new();
    for word in line.parameters() {
        let text: StrDeserializer<'_, Error> = word.text.as_str().into_deserializer();
        match RegexOption::deserialize(text) {
            Ok(option) => options.push(option),
            Err(_) => {
                let message = format!("`{}` is no option of PCRE2", word.text);
                notes.warn(word.place, line.keyword(), message);
            }
        }
    }
    options
}
