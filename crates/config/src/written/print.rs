//! TOML as a person would write it: tables where they are few, a real server in a line.

use std::fmt::Write as _;

use toml::{Table, Value};

use super::file::WrittenFile;

/// Columns that a list may take in one line.
const WIDTH: usize = 100;

/// The file without what is as it would be without it.
pub(super) fn file(file: &WrittenFile) -> String {
    let (mut written, usual) = (table(file), table(&WrittenFile::default()));
    for (key, value) in &usual {
        trim(&mut written, key, value);
    }
    let mut text = String::new();
    print(&mut text, "", &written);
    text.trim_start().to_owned()
}

fn table(file: &WrittenFile) -> Table {
    // The types have only what TOML has.
    Table::try_from(file).unwrap_or_default()
}

/// Removes what is as usual.
fn trim(written: &mut Table, key: &str, usual: &Value) {
    let empty = match (written.get_mut(key), usual) {
        (Some(Value::Table(inner)), Value::Table(usual)) => {
            for (key, value) in usual {
                trim(inner, key, value);
            }
            inner.is_empty()
        }
        (Some(value), usual) => value == usual,
        (None, _) => false,
    };
    if empty {
        written.remove(key);
    }
}

/// A table's values, then its tables with their headers.
fn print(text: &mut String, path: &str, table: &Table) {
    for (key, value) in table {
        if !has_header(path, key, value) {
            line(text, key, value);
        }
    }
    for (key, value) in table {
        if !has_header(path, key, value) {
            continue;
        }
        let path = match path {
            "" => key.clone(),
            path => format!("{path}.{key}"),
        };
        match value {
            Value::Table(inner) => {
                let _ = writeln!(text, "\n[{path}]");
                print(text, &path, inner);
            }
            Value::Array(list) => {
                for inner in list.iter().filter_map(Value::as_table) {
                    let _ = writeln!(text, "\n[[{path}]]");
                    print(text, &path, inner);
                }
            }
            _ => {}
        }
    }
}

/// Tables of the file and of VRRP have headers; what is in services and instances is in lines.
fn has_header(path: &str, key: &str, value: &Value) -> bool {
    let is_list =
        matches!(value, Value::Array(list) if list.iter().all(Value::is_table) && !list.is_empty());
    match path {
        "" => (is_list && key != "address") || value.is_table(),
        "vrrp" => is_list || value.is_table(),
        "service" => false,
        _ => value.is_table(),
    }
}

fn line(text: &mut String, key: &str, value: &Value) {
    let short = inline(value);
    let long = match value {
        Value::Array(list) => {
            key == "real" || key.len() + short.len() + 3 > WIDTH && list.len() > 1
        }
        _ => false,
    };
    if let (Value::Array(list), true) = (value, long) {
        let _ = writeln!(text, "{} = [", quoted(key));
        for item in list {
            let _ = writeln!(text, "  {},", inline(item));
        }
        text.push_str("]\n");
    } else {
        let _ = writeln!(text, "{} = {short}", quoted(key));
    }
}

fn inline(value: &Value) -> String {
    match value {
        Value::Table(table) => {
            let pairs = table.iter();
            let pairs = pairs.map(|(key, value)| format!("{} = {}", quoted(key), inline(value)));
            format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
        }
        Value::Array(list) => {
            let items: Vec<_> = list.iter().map(inline).collect();
            format!("[{}]", items.join(", "))
        }
        value => value.to_string(),
    }
}

fn quoted(key: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    match !key.is_empty() && key.bytes().all(bare) {
        true => key.to_owned(),
        false => Value::String(key.to_owned()).to_string(),
    }
}
