//! The length of SQLite's log, read from the log itself: some of the supported versions of `rusqlite` lack
//! the hook that reports it.
//!
//! The file keeps its size when the log begins anew, so the size does not tell. But the log's header and each
//! frame carry the same salt, which changes each time the log begins anew. The frames with the header's salt
//! are the log; the frames behind them are left over from an earlier one.
//! (<https://www.sqlite.org/fileformat2.html#the_write_ahead_log>)

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;

const HEADER: u64 = 32;
const FRAME_HEADER: u64 = 24;

/// The log, opened beside SQLite's own handle. Closing this handle releases no lock of SQLite's: those are on
/// other files.
#[derive(Debug)]
pub(crate) struct Log {
    file: File,
}

impl Log {
    /// The log of the database at `path`, which a connection has read in WAL mode.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let mut name = path.as_os_str().to_owned();
        name.push("-wal");
        Ok(Self { file: File::open(name)? })
    }

    /// Whether the log has at least this many pages. This takes two reads of a few bytes, which the operating
    /// system has in memory.
    pub(crate) fn has(&self, pages: u64) -> bool {
        self.frame_is_there(pages).unwrap_or_else(|error| {
            tracing::warn!(%error, "the log cannot be read");
            false
        })
    }

    /// How many pages the log has.
    pub(crate) fn pages(&self) -> u64 {
        let (mut there, mut beyond) = (0, 1);
        while self.has(beyond) {
            (there, beyond) = (beyond, beyond * 2);
        }
        while beyond - there > 1 {
            let middle = there.midpoint(beyond);
            if self.has(middle) {
                there = middle;
            } else {
                beyond = middle;
            }
        }
        there
    }

    fn frame_is_there(&self, pages: u64) -> io::Result<bool> {
        let Some(before) = pages.checked_sub(1) else { return Ok(true) };
        // The page size, how often the log has begun anew, and the salt.
        let Some(header) = self.read::<16>(8)? else { return Ok(false) };
        let [s0, s1, s2, s3, _, _, _, _, salt @ ..] = header;
        let page_size = u64::from(u32::from_be_bytes([s0, s1, s2, s3]));
        let frame = HEADER + before * (FRAME_HEADER + page_size);
        Ok(self.read::<8>(frame + 8)? == Some(salt))
    }

    /// The bytes at this offset; `None` beyond the end of the file.
    fn read<const N: usize>(&self, place: u64) -> io::Result<Option<[u8; N]>> {
        let mut bytes = [0; N];
        match read_exact_at(&self.file, place, &mut bytes) {
            Ok(()) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, place: u64, bytes: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, place)
}

#[cfg(not(unix))]
fn read_exact_at(mut file: &File, place: u64, bytes: &mut [u8]) -> io::Result<()> {
    use std::io::{Read as _, Seek as _};
    file.seek(io::SeekFrom::Start(place))?;
    file.read_exact(bytes)
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    #[test]
    fn frames_from_before_are_not_counted() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log.db");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (b BLOB)").unwrap();
        let log = Log::of(&path).unwrap();
        let in_log = || {
            let pages: i64 =
                connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(1)).unwrap();
            u64::try_from(pages).unwrap()
        };
        for bytes in [1_000_000, 10, 300_000, 10] {
            connection.execute("INSERT INTO t VALUES (zeroblob(?1))", [bytes]).unwrap();
            let pages = log.pages();
            assert!(log.has(pages) && !log.has(pages + 1), "{pages}");
            // Which moves all of it, so that the log begins anew.
            assert_eq!(pages, in_log());
        }
    }
}
