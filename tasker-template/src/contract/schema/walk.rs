//! Goes through two schemas side by side, and collects the gaps between them.

use std::collections::HashSet;
use std::io;

use serde_json::{Map, Value};

use crate::contract::schema::document::{Document, children, is_annotation};
use crate::contract::schema::{Gap, GapKind};

/// A comparison that takes more steps than this is given up: the alternatives within alternatives of a small schema
/// can have more combinations than anybody can wait for.
const MAX_WORK: usize = 500_000;
/// What a gap counts as, which takes memory: there can be 25 000.
const GAP_WORK: usize = 20;
/// Schemas that nest deeper than this, references followed, are not compared.
const MAX_DEPTH: usize = 80;

/// A part of one of the two schemas.
#[derive(Clone, Debug)]
pub(super) struct Part<'s> {
    pub(super) document: &'s Document<'s>,
    pub(super) schema: &'s Value,
    /// Its place, as a JSON pointer.
    pub(super) at: String,
}

impl<'s> Part<'s> {
    /// A schema that a keyword of this one has.
    pub(super) fn child(&self, schema: &'s Value, path: &[&str]) -> Self {
        let mut at = self.at.clone();
        for part in path {
            at.push('/');
            at.push_str(&part.replace('~', "~0").replace('/', "~1"));
        }
        Self { document: self.document, schema, at }
    }

    /// The keywords of the schema; `None` for `true`, `false`, and what is no schema.
    pub(super) fn keywords(&self) -> Option<&'s Map<String, Value>> {
        self.schema.as_object()
    }

    pub(super) fn keyword(&self, name: &str) -> Option<&'s Value> {
        self.keywords()?.get(name)
    }

    /// The schemas in the list that a keyword has.
    pub(super) fn listed(&self, name: &str) -> Vec<Self> {
        let schemas = self.keyword(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        schemas.iter().enumerate().map(|(index, one)| self.child(one, &[name, &index.to_string()])).collect()
    }

    /// The place of a keyword, or of the schema where it does not have that.
    fn place_of(&self, keyword: &str) -> String {
        match self.keyword(keyword) {
            Some(schema) => self.child(schema, &[keyword]).at,
            None => self.at.clone(),
        }
    }

    /// The schema that stands here once references are followed; `None` where one leads elsewhere.
    fn resolved(mut self) -> Option<Self> {
        // More references than this in a row lead in a circle.
        for _ in 0..MAX_DEPTH {
            let Some(keywords) = self.keywords() else { return Some(self) };
            let Some(reference) = self.document.reference(keywords).ok()? else { return Some(self) };
            (self.schema, self.at) = self.document.target(reference)?;
        }
        None
    }
}

/// The part of a value that is looked at; see [`Gap::value`].
#[derive(Clone, Debug, Default)]
pub(super) struct Within(pub(super) String);

impl Within {
    pub(super) fn field(&self, name: &str) -> Self {
        Self(if self.0.is_empty() { name.to_owned() } else { format!("{}.{name}", self.0) })
    }

    pub(super) fn items(&self) -> Self {
        Self(format!("{}[]", self.0))
    }
}

/// Collects where `wide` refuses what `narrow` accepts.
#[derive(Debug)]
pub(super) struct Walk<'s> {
    narrow: &'s Document<'s>,
    wide: &'s Document<'s>,
    gaps: Vec<Gap>,
    /// The pairs of places that are being compared. Where schemas refer to themselves, a pair is met within
    /// itself; there it holds if it holds everywhere else, since values end.
    open: HashSet<(String, String)>,
    work: usize,
}

impl<'s> Walk<'s> {
    pub(super) fn new(narrow: &'s Document<'s>, wide: &'s Document<'s>) -> Self {
        Self { narrow, wide, gaps: Vec::new(), open: HashSet::new(), work: 0 }
    }

    pub(super) fn gaps(mut self) -> Vec<Gap> {
        let root = |document: &'s Document<'s>| Part { document, schema: document.root, at: String::new() };
        let (narrow, wide) = (root(self.narrow), root(self.wide));
        if narrow.document.draft == wide.document.draft {
            self.gaps = self.trial(|walk| walk.compare(&narrow, &wide, &Within::default()));
        } else {
            let drafts = [&narrow, &wide].map(|part| format!("{:?}", part.document.draft));
            self.gap(GapKind::Incomparable, &Within::default(), "$schema", drafts, [&narrow, &wide]);
        }
        self.gaps
    }

    /// Adds a gap. The texts and the parts are those of the schema that accepts and of the one that refuses.
    pub(super) fn gap(
        &mut self,
        kind: GapKind,
        within: &Within,
        keyword: &str,
        [accepts, refuses]: [String; 2],
        [narrow, wide]: [&Part<'s>; 2],
    ) {
        self.work = self.work.saturating_add(GAP_WORK);
        let (accepts_at, refuses_at) = (narrow.place_of(keyword), wide.place_of(keyword));
        let (value, keyword) = (within.0.clone(), keyword.to_owned());
        self.gaps.push(Gap { kind, value, keyword, accepts, refuses, accepts_at, refuses_at });
    }

    /// Adds a gap whose texts are the values of the keyword.
    pub(super) fn differs(&mut self, kind: GapKind, within: &Within, keyword: &str, parts: [&Part<'s>; 2]) {
        let texts = parts.map(|part| part.keyword(keyword).map_or_else(|| "none".to_owned(), short));
        self.gap(kind, within, keyword, texts, parts);
    }

    /// Collects where `wide` refuses what `narrow` accepts.
    pub(super) fn compare(&mut self, narrow: &Part<'s>, wide: &Part<'s>, within: &Within) {
        if self.is_given_up() {
            return;
        }
        self.work += 1;
        if self.work >= MAX_WORK || self.open.len() >= MAX_DEPTH {
            self.work = MAX_WORK;
            let texts = [narrow, wide].map(|part| short(part.schema));
            self.gap(GapKind::Incomparable, within, "a schema of this size", texts, [narrow, wide]);
            return;
        }
        if self.same(narrow.schema, wide.schema) {
            return;
        }
        let (Some(narrow_target), Some(wide_target)) = (narrow.clone().resolved(), wide.clone().resolved())
        else {
            return self.differs(GapKind::Incomparable, within, "$ref", [narrow, wide]);
        };
        let pair = (narrow_target.at.clone(), wide_target.at.clone());
        if self.open.insert(pair.clone()) {
            self.compare_resolved(&narrow_target, &wide_target, within);
            self.open.remove(&pair);
        }
    }

    fn compare_resolved(&mut self, narrow: &Part<'s>, wide: &Part<'s>, within: &Within) {
        match (narrow.schema, wide.schema) {
            (Value::Bool(false), _) | (_, Value::Bool(true)) => {}
            (Value::Bool(true) | Value::Object(_), Value::Bool(false)) => {
                let texts = ["allowed", "refused"].map(str::to_owned);
                self.gap(GapKind::Refused, within, "any value", texts, [narrow, wide]);
            }
            (Value::Bool(true) | Value::Object(_), Value::Object(_)) => {
                self.by_parts(narrow, wide, within, Self::compare_keywords);
                for branch in wide.listed("allOf") {
                    self.compare(narrow, &branch, within);
                }
                if wide.keyword("anyOf").is_some() {
                    self.by_parts(narrow, wide, within, Self::fits_one_of);
                }
            }
            // No schema at all, which no start would accept.
            _ => self.differs(GapKind::Incomparable, within, "schema", [narrow, wide]),
        }
    }

    /// Compares by what `narrow` says itself. Where that leaves gaps, one of its `allOf`, or each of its
    /// alternatives, may leave fewer: then those are the gaps.
    fn by_parts(
        &mut self,
        narrow: &Part<'s>,
        wide: &Part<'s>,
        within: &Within,
        compare: fn(&mut Self, &Part<'s>, &Part<'s>, &Within),
    ) {
        let mut fewest = self.trial(|walk| compare(walk, narrow, wide, within));
        let mut attempts: Vec<Vec<Part<'s>>> =
            narrow.listed("allOf").into_iter().map(|branch| vec![branch]).collect();
        let alternatives = ["anyOf", "oneOf"].map(|name| narrow.listed(name));
        attempts.extend(alternatives.into_iter().filter(|branches| !branches.is_empty()));
        for branches in attempts {
            if fewest.is_empty() || self.is_given_up() {
                break;
            }
            let gaps = self.trial(|walk| {
                for branch in &branches {
                    walk.part(branch, wide, within, compare);
                }
            });
            let says_nothing = || narrow.keywords().is_some_and(|all| all.keys().all(|key| is_silent(key)));
            if gaps.len() < fewest.len() || says_nothing() {
                fewest = gaps;
            }
        }
        self.gaps.extend(fewest);
    }

    /// Compares one part of a schema with `wide`, once its references are followed.
    fn part(
        &mut self,
        narrow: &Part<'s>,
        wide: &Part<'s>,
        within: &Within,
        compare: fn(&mut Self, &Part<'s>, &Part<'s>, &Within),
    ) {
        let Some(target) = narrow.clone().resolved() else {
            return self.differs(GapKind::Incomparable, within, "$ref", [narrow, wide]);
        };
        self.work += 1;
        match target.schema {
            Value::Bool(false) => {}
            _ if self.work >= MAX_WORK => {
                self.work = MAX_WORK;
                self.differs(GapKind::Incomparable, within, "allOf", [narrow, wide]);
            }
            _ => {
                // Within itself, it says nothing new.
                let pair = (target.at.clone(), format!("{} by parts", wide.at));
                if self.open.len() < MAX_DEPTH && self.open.insert(pair.clone()) {
                    self.by_parts(&target, wide, within, compare);
                    self.open.remove(&pair);
                } else {
                    self.differs(GapKind::Incomparable, within, "$ref", [narrow, wide]);
                }
            }
        }
    }

    /// Compares with the `anyOf` of `wide`: one of its alternatives must accept all of `narrow`.
    fn fits_one_of(&mut self, narrow: &Part<'s>, wide: &Part<'s>, within: &Within) {
        for branch in wide.listed("anyOf") {
            if self.trial(|walk| walk.compare(narrow, &branch, within)).is_empty() {
                return;
            }
        }
        self.differs(GapKind::Incomparable, within, "anyOf", [narrow, wide]);
    }

    /// The gaps that a comparison finds, which are not added.
    fn trial(&mut self, compare: impl FnOnce(&mut Self)) -> Vec<Gap> {
        let before = std::mem::take(&mut self.gaps);
        compare(self);
        // Nothing was compared: no gaps would be a promise that nobody has checked.
        if self.is_given_up() && self.gaps.is_empty() {
            let [narrow, wide] = [self.narrow, self.wide].map(|document| Part {
                document,
                schema: document.root,
                at: String::new(),
            });
            let texts = [&narrow, &wide].map(|part| short(part.schema));
            let parts = [&narrow, &wide];
            self.gap(GapKind::Incomparable, &Within::default(), "a schema of this size", texts, parts);
        }
        std::mem::replace(&mut self.gaps, before)
    }

    fn is_given_up(&self) -> bool {
        self.work >= MAX_WORK
    }

    /// Whether both are the same text and refer to the same, so that they mean the same.
    pub(super) fn same(&mut self, one: &Value, other: &Value) -> bool {
        if one != other {
            return false;
        }
        let (mut seen, mut open) = (HashSet::new(), vec![one]);
        while let Some(value) = open.pop() {
            self.work += 1;
            // What these lead to depends on what is around.
            if ["$dynamicRef", "$recursiveRef"].iter().any(|name| value.get(name).is_some()) {
                return false;
            }
            if let Some(reference) = value.get("$ref") {
                let Some(reference) = reference.as_str() else { return false };
                if seen.insert(reference) {
                    let targets = [self.narrow, self.wide].map(|document| document.target(reference));
                    match targets {
                        [Some((one, _)), Some((other, _))] if one == other => open.push(one),
                        _ => return false,
                    }
                }
            }
            open.extend(children(value));
        }
        true
    }
}

/// Whether the keyword says nothing but by its branches.
fn is_silent(keyword: &str) -> bool {
    is_annotation(keyword) || ["allOf", "anyOf", "oneOf"].contains(&keyword)
}

/// A value in a message, cut where it is long.
pub(super) fn short(value: &Value) -> String {
    const LONGEST: usize = 60;
    let mut text = Beginning { bytes: Vec::new(), most: 4 * LONGEST };
    // It is an error to write more than is wanted.
    let is_whole = serde_json::to_writer(&mut text, value).is_ok();
    let text = String::from_utf8_lossy(&text.bytes);
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}\u{2026}", &text[..end]),
        None if !is_whole => format!("{text}\u{2026}"),
        None => text.into_owned(),
    }
}

/// Takes the beginning of what is written.
struct Beginning {
    bytes: Vec<u8>,
    most: usize,
}

impl io::Write for Beginning {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.most - self.bytes.len());
        self.bytes.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
