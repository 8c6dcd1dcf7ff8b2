//! What a check found.

use serde::Serialize;

/// How bad it is; the worse, the greater.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    Ok,
    /// Good to know, and no fault by itself.
    Note,
    /// It works badly, or not for everyone.
    Warning,
    /// It does not work.
    Error,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Finding {
    /// The name of the check: short and stable, for programs.
    pub id: &'static str,
    /// The interface, service or address that it is about; none for the whole machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    pub severity: Severity,
    /// What there is.
    pub finding: String,
    /// What comes of it; empty where nothing does.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub meaning: String,
    /// The commands that mend it, as root, in this order; empty where none can.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mend: Vec<String>,
}

impl Finding {
    pub(crate) fn ok(id: &'static str, finding: impl Into<String>) -> Self {
        Self {
            id,
            subject: None,
            severity: Severity::Ok,
            finding: finding.into(),
            meaning: String::new(),
            mend: Vec::new(),
        }
    }

    pub(crate) fn note(id: &'static str, finding: impl Into<String>) -> Self {
        Self::ok(id, finding).rated(Severity::Note)
    }

    pub(crate) fn warning(id: &'static str, finding: impl Into<String>) -> Self {
        Self::ok(id, finding).rated(Severity::Warning)
    }

    pub(crate) fn error(id: &'static str, finding: impl Into<String>) -> Self {
        Self::ok(id, finding).rated(Severity::Error)
    }

    pub(crate) fn rated(self, severity: Severity) -> Self {
        Self { severity, ..self }
    }

    pub(crate) fn about(self, subject: impl ToString) -> Self {
        Self {
            subject: Some(subject.to_string()),
            ..self
        }
    }

    pub(crate) fn means(self, meaning: impl Into<String>) -> Self {
        Self {
            meaning: meaning.into(),
            ..self
        }
    }

    pub(crate) fn mend(mut self, command: impl Into<String>) -> Self {
        self.mend.push(command.into());
        self
    }
}
