//! What handlers and creators did, as they wrote it down themselves: a line each, appended at once.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

/// A step of a task.
pub type StepKey = (String, String);

/// Everything that was written.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Tasks whose creation was acknowledged.
    pub acknowledged: HashSet<String>,
    /// How often each attempt of each step has begun.
    pub begun: HashMap<StepKey, BTreeMap<u32, usize>>,
    /// What each attempt was about to return.
    pub returned: HashMap<(StepKey, u32), String>,
}

/// Writes lines that survive the process: the system has them once the call returns.
#[derive(Debug)]
pub struct Writer(File);

impl Writer {
    pub fn open(path: &Path) -> Self {
        Self(OpenOptions::new().append(true).create(true).open(path).unwrap())
    }

    pub fn line(&self, words: &[&str]) {
        let line = format!("{}\n", words.join(" "));
        (&self.0).write_all(line.as_bytes()).unwrap();
    }
}

impl Ledger {
    pub fn read(path: &Path) -> Self {
        let mut ledger = Self::default();
        for line in std::fs::read_to_string(path).unwrap_or_default().lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let step = |words: &[&str]| (words[1].to_owned(), words[2].to_owned());
            match words[0] {
                "created" => drop(ledger.acknowledged.insert(words[1].to_owned())),
                "begin" => {
                    let attempts = ledger.begun.entry(step(&words)).or_default();
                    *attempts.entry(words[3].parse().unwrap()).or_default() += 1;
                }
                "end" => {
                    let attempt = (step(&words), words[3].parse().unwrap());
                    ledger.returned.insert(attempt, words[4].to_owned());
                }
                other => panic!("`{other}` in the ledger"),
            }
        }
        ledger
    }

    /// How often a step has begun, in whichever attempt.
    pub fn begins(&self, step: &StepKey) -> usize {
        self.begun.get(step).map_or(0, |attempts| attempts.values().sum())
    }
}
