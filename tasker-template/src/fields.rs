//! Reads one mapping key by key, collecting every fault instead of stopping at the first.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::ops::RangeInclusive;

use serde_json::Map;

use crate::diagnostic::{Code, Diagnostics, MAX_KEPT, Severity, Span};
use crate::node::{Node, Value};
use crate::number;
use crate::source::Source;
use crate::suggest::Names;

/// Collects faults while a template is read. It soon drops those that will not be shown.
pub(crate) struct Report<'a> {
    pub(crate) source: &'a Source,
    pub(crate) names: Names,
    found: Vec<Found>,
    more_errors: usize,
    more_warnings: usize,
    /// Where the numbers that were reported begin: an alias may repeat each.
    numbers: HashSet<usize>,
    /// Each mapping that was read, by its name in messages, with a key that was asked for.
    #[cfg(test)]
    pub(crate) asked: std::collections::BTreeSet<(String, &'static str)>,
}

/// A fault whose line and column have not been determined yet.
struct Found {
    severity: Severity,
    span: Span,
    code: Code,
    message: String,
    suggestion: Option<String>,
}

/// The number of faults from which on they are sorted and cut.
const MAX_FOUND: usize = 10 * MAX_KEPT;

impl<'a> Report<'a> {
    pub(crate) fn new(source: &'a Source) -> Self {
        Self {
            source,
            names: Names::default(),
            found: Vec::new(),
            more_errors: 0,
            more_warnings: 0,
            numbers: HashSet::new(),
            #[cfg(test)]
            asked: Default::default(),
        }
    }

    pub(crate) fn error(&mut self, span: Span, code: Code, message: impl Into<String>) {
        self.add(Severity::Error, span, code, message.into(), None);
    }

    pub(crate) fn error_with(&mut self, span: Span, code: Code, message: String, suggestion: Option<String>) {
        self.add(Severity::Error, span, code, message, suggestion);
    }

    pub(crate) fn warning(&mut self, span: Span, code: Code, message: impl Into<String>) {
        self.add(Severity::Warning, span, code, message.into(), None);
    }

    pub(crate) fn warning_with(
        &mut self,
        span: Span,
        code: Code,
        message: String,
        suggestion: Option<String>,
    ) {
        self.add(Severity::Warning, span, code, message, suggestion);
    }

    fn add(
        &mut self,
        severity: Severity,
        span: Span,
        code: Code,
        message: String,
        suggestion: Option<String>,
    ) {
        self.found.push(Found { severity, span, code, message, suggestion });
        if self.found.len() >= MAX_FOUND {
            self.sort_out();
        }
    }

    /// Whether no number at this place has been reported.
    pub(crate) fn is_new_number(&mut self, span: Span) -> bool {
        self.numbers.insert(span.start)
    }

    /// Sorts the faults: errors before warnings, likely slips before other unknown keys, then by line. Keeps
    /// only the first of each severity.
    fn sort_out(&mut self) {
        self.found.sort_by_key(|one| {
            (one.severity, one.suggestion.is_none() && one.code == Code::UnknownKey, one.span.line)
        });
        let errors = self.found.partition_point(|one| one.severity == Severity::Error);
        let mut warnings = self.found.split_off(errors);
        self.more_errors += errors.saturating_sub(MAX_KEPT);
        self.more_warnings += warnings.len().saturating_sub(MAX_KEPT);
        self.found.truncate(MAX_KEPT);
        warnings.truncate(MAX_KEPT);
        self.found.append(&mut warnings);
    }

    /// All faults.
    pub(crate) fn finish(mut self) -> Diagnostics {
        self.sort_out();
        let mut all = Diagnostics::default();
        for Found { severity, span, code, message, suggestion } in self.found {
            all.push(self.source.diagnostic(severity, span, code, message, suggestion));
        }
        all.count_more(self.more_errors, self.more_warnings);
        all
    }
}

/// One mapping. A key becomes a known key when it is read.
pub(crate) struct Fields<'n> {
    /// The name of the mapping in messages: ``step `a` ``.
    what: String,
    span: Span,
    entries: &'n [(Node, Node)],
    known: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// Reads a node as a mapping. `None`, with a fault, when it is not one.
    pub(crate) fn open(node: &'n Node, what: impl Into<String>, report: &mut Report<'_>) -> Option<Self> {
        let what = what.into();
        let Value::Map(entries) = &node.value else {
            let message = format!("{what} must be a mapping, but is {}", node.value.kind());
            report.error(node.span, Code::WrongType, message);
            return None;
        };
        for (key, _) in entries.iter().filter(|(key, _)| key.text(report.source).is_none()) {
            report.error(key.span, Code::WrongType, format!("a key of {what} must be text"));
        }
        let span = entries.first().map_or(node.span, |(key, _)| key.span);
        Some(Self { what, span, entries, known: Vec::new() })
    }

    /// The same mapping with a more precise name.
    pub(crate) fn renamed(self, what: String) -> Self {
        Self { what, ..self }
    }

    pub(crate) fn span(&self) -> Span {
        self.span
    }

    /// Every entry, for a mapping whose keys are names that the author chose.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &'n (Node, Node)> + use<'n> {
        self.entries.iter()
    }

    /// The value of the first of `names` that is present and not empty. Two spellings at once are a fault.
    pub(crate) fn get(&mut self, names: &[&'static str], report: &mut Report<'_>) -> Option<&'n Node> {
        self.known.extend_from_slice(names);
        #[cfg(test)]
        report.asked.extend(names.iter().map(|name| (self.what.clone(), *name)));
        let entries: &'n [(Node, Node)] = self.entries;
        let mut found: Option<&'n (Node, Node)> = None;
        for entry in entries {
            let Value::String(key) = &entry.0.value else { continue };
            if !names.contains(&key.as_str()) || matches!(entry.1.value, Value::Null) {
                continue;
            }
            match found {
                None => found = Some(entry),
                // The same key twice has been reported by `duplicate_keys`.
                Some((first, _)) if first.text(report.source).as_ref() == Some(key) => {}
                Some((first, _)) => {
                    let other = first.text(report.source).unwrap_or_default();
                    let message =
                        format!("{} has both `{other}` and `{key}`, which mean the same", self.what);
                    report.error_with(
                        entry.0.span,
                        Code::DuplicateKey,
                        message,
                        Some("remove one".to_owned()),
                    );
                }
            }
        }
        found.map(|(_, value)| value)
    }

    /// Like [`get`](Self::get); a missing key is a fault.
    pub(crate) fn require(&mut self, name: &'static str, report: &mut Report<'_>) -> Option<&'n Node> {
        let found = self.get(&[name], report);
        if found.is_none() {
            let near = self.near_miss(name, report);
            let (span, suggestion) = match near {
                Some((span, key)) => (span, Some(format!("is `{key}` meant to be `{name}`?"))),
                None => (self.span, None),
            };
            report.error_with(span, Code::MissingKey, format!("{} has no `{name}`", self.what), suggestion);
        }
        found
    }

    fn near_miss(&self, name: &'static str, report: &mut Report<'_>) -> Option<(Span, String)> {
        self.entries.iter().find_map(|(key, _)| {
            let text = key.text(report.source)?;
            // A misspelling of the name, or only its first word.
            let is_near =
                report.names.nearest(&text, [name]).is_some() || name.starts_with(&format!("{text}_"));
            (text != name && is_near).then_some((key.span, text))
        })
    }

    pub(crate) fn text(&mut self, name: &'static str, report: &mut Report<'_>) -> Option<String> {
        let node = self.get(&[name], report)?;
        self.text_of(name, node, report).map(|(text, _)| text)
    }

    /// Text that must be there and have 1 to `longest` characters.
    pub(crate) fn required_text(
        &mut self,
        name: &'static str,
        longest: usize,
        report: &mut Report<'_>,
    ) -> Option<(String, Span)> {
        let node = self.require(name, report)?;
        let (text, span) = self.text_of(name, node, report)?;
        if text.trim().is_empty() {
            report.error(span, Code::InvalidValue, format!("`{name}` of {} is empty", self.what));
            return None;
        }
        if text.chars().any(char::is_control) {
            let message = format!("`{name}` of {} has a line break or another control character", self.what);
            report.error(span, Code::InvalidValue, message);
            return None;
        }
        if text.chars().count() > longest {
            let message = format!("`{name}` of {} is longer than {longest} characters", self.what);
            report.error(span, Code::InvalidValue, message);
            return None;
        }
        Some((text, span))
    }

    fn text_of(&self, name: &str, node: &Node, report: &mut Report<'_>) -> Option<(String, Span)> {
        let text = node.text(report.source);
        if text.is_none() {
            self.wrong_type(name, "text", node, report);
        }
        text.map(|text| (text, node.span))
    }

    pub(crate) fn flag(&mut self, name: &'static str, report: &mut Report<'_>) -> Option<bool> {
        let node = self.get(&[name], report)?;
        if let Value::Bool(value) = node.value {
            return Some(value);
        }
        self.wrong_type(name, "true or false", node, report);
        None
    }

    /// A whole number in `range`, under one of `names`.
    pub(crate) fn integer(
        &mut self,
        names: &[&'static str],
        range: RangeInclusive<u32>,
        report: &mut Report<'_>,
    ) -> Option<(u32, Span)> {
        let node = self.get(names, report)?;
        let Value::Number(number) = &node.value else {
            self.wrong_type(names[0], "a whole number", node, report);
            return None;
        };
        let value = number.as_u64().and_then(|value| u32::try_from(value).ok());
        if let Some(value) = value.filter(|value| range.contains(value)) {
            return Some((value, node.span));
        }
        let (from, to) = range.into_inner();
        let message = format!("`{}` of {} must be a whole number from {from} to {to}", names[0], self.what);
        report.error(node.span, Code::InvalidValue, message);
        None
    }

    /// A number of seconds, fractions allowed, from 0 to `most`; in milliseconds.
    pub(crate) fn seconds(
        &mut self,
        name: &'static str,
        most: u32,
        report: &mut Report<'_>,
    ) -> Option<(u64, Span)> {
        let node = self.get(&[name], report)?;
        let Value::Number(number) = &node.value else {
            self.wrong_type(name, "a number of seconds", node, report);
            return None;
        };
        let seconds = number.as_f64().filter(|seconds| (0.0..=f64::from(most)).contains(seconds));
        match seconds.map(std::time::Duration::from_secs_f64) {
            Some(duration) => Some((u64::try_from(duration.as_millis()).unwrap_or(u64::MAX), node.span)),
            None => {
                let message = format!("`{name}` of {} must be from 0 to {most} seconds", self.what);
                report.error(node.span, Code::InvalidValue, message);
                None
            }
        }
    }

    /// One of a few words.
    pub(crate) fn word<T: Copy>(
        &mut self,
        names: &[&'static str],
        words: &[(&'static str, T)],
        report: &mut Report<'_>,
    ) -> Option<T> {
        let node = self.get(names, report)?;
        let (text, span) = self.text_of(names[0], node, report)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let mut message = format!("`{}` of {} is `{text}`, which is none of ", names[0], self.what);
        for (index, (word, _)) in words.iter().enumerate() {
            let _ = write!(message, "{}`{word}`", if index == 0 { "" } else { ", " });
        }
        let suggestion = report.names.nearest(&text, words.iter().map(|(word, _)| *word));
        report.error_with(span, Code::InvalidValue, message, suggestion.map(did_you_mean));
        None
    }

    pub(crate) fn list(&mut self, names: &[&'static str], report: &mut Report<'_>) -> &'n [Node] {
        let Some(node) = self.get(names, report) else { return &[] };
        if let Value::List(items) = &node.value {
            return items;
        }
        self.wrong_type(names[0], "a list", node, report);
        &[]
    }

    pub(crate) fn json(&mut self, name: &'static str, report: &mut Report<'_>) -> Option<serde_json::Value> {
        self.get(&[name], report).map(|node| to_json(node, report))
    }

    pub(crate) fn json_map(
        &mut self,
        name: &'static str,
        report: &mut Report<'_>,
    ) -> Map<String, serde_json::Value> {
        let Some(node) = self.get(&[name], report) else { return Map::new() };
        let _ = Fields::open(node, format!("`{name}` of {}", self.what), report);
        match to_json(node, report) {
            serde_json::Value::Object(map) => map,
            _ => Map::new(),
        }
    }

    fn wrong_type(&self, name: &str, expected: &str, node: &Node, report: &mut Report<'_>) {
        let message = format!("`{name}` of {} must be {expected}, but is {}", self.what, node.value.kind());
        let zeros = match &node.value {
            Value::String(text) if number::has_leading_zero(text) => {
                Some(format!("write `{}`", number::without_leading_zeros(text)))
            }
            _ => None,
        };
        report.error_with(node.span, Code::WrongType, message, zeros);
    }

    /// Warns of every key that was not read.
    pub(crate) fn close(self, report: &mut Report<'_>) {
        for (key, _) in self.entries {
            let Some(name) = key.text(report.source) else { continue };
            if self.known.contains(&name.as_str()) {
                continue;
            }
            let near = report.names.nearest(&name, self.known.iter().copied());
            let message = format!("`{name}` has no meaning in {}", self.what);
            report.warning_with(key.span, Code::UnknownKey, message, near.map(did_you_mean));
        }
    }
}

/// The value as JSON, with a fault for each number that is not kept as it is written.
pub(crate) fn to_json(node: &Node, report: &mut Report<'_>) -> serde_json::Value {
    number::check(node, report);
    node.to_json(report.source)
}

pub(crate) fn did_you_mean(name: &str) -> String {
    format!("did you mean `{name}`?")
}

/// Reports every key that its mapping has twice, anywhere below `node`.
pub(crate) fn duplicate_keys(node: &Node, report: &mut Report<'_>) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| duplicate_keys(item, report)),
        Value::Map(entries) => {
            let mut first_lines = HashMap::new();
            for (key, value) in entries {
                if let Some(name) = key.text(report.source) {
                    let first = *first_lines.entry(name.clone()).or_insert(key.span);
                    if first != key.span {
                        let message = format!("`{name}` is there twice, first at line {}", first.line);
                        report.error(key.span, Code::DuplicateKey, message);
                    }
                }
                duplicate_keys(value, report);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
