//! The table of operations and faults, with what held.

use std::collections::BTreeMap;
use std::fmt;

use crate::operations::ALL;

/// The last row: what the store says of itself after all operations.
pub const DOCTOR: &str = "doctor, at the end";

/// What came of an operation under a fault.
#[derive(Debug, Default)]
pub struct Cell {
    /// The positions at which it met the fault, and everything held.
    pub held: usize,
    pub failures: Vec<String>,
}

#[derive(Debug)]
pub struct Table {
    store: String,
    faults: Vec<&'static str>,
    cells: BTreeMap<(&'static str, &'static str), Cell>,
}

impl Table {
    pub fn new(store: &str, faults: &[&'static str]) -> Self {
        Self { store: store.to_owned(), faults: faults.to_vec(), cells: BTreeMap::new() }
    }

    pub fn put(&mut self, operation: &'static str, fault: &'static str, cell: Cell) {
        self.cells.insert((operation, fault), cell);
    }

    pub fn has_held(&self) -> bool {
        self.cells.values().all(|cell| cell.failures.is_empty())
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| {} | {} |", self.store, self.faults.join(" | "))?;
        writeln!(f, "| --- |{}", " ---: |".repeat(self.faults.len()))?;
        for operation in ALL.iter().map(|(_, name)| *name).chain([DOCTOR]) {
            let cells: Vec<_> =
                self.faults.iter().map(|fault| self.cells.get(&(operation, *fault))).collect();
            if cells.iter().all(Option::is_none) {
                continue;
            }
            write!(f, "| {operation} |")?;
            for cell in cells {
                match cell {
                    Some(cell) if !cell.failures.is_empty() => write!(f, " FAILED |")?,
                    Some(cell) if cell.held > 0 => write!(f, " {} |", cell.held)?,
                    _ => write!(f, " |")?,
                }
            }
            writeln!(f)?;
        }
        for ((operation, fault), cell) in &self.cells {
            for failure in &cell.failures {
                writeln!(f, "\n{operation} under {fault}, {failure}")?;
            }
        }
        Ok(())
    }
}
