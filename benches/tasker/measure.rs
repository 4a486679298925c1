//! What is measured beside time, and how figures are written.

use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The median time in which 4 KiB reach the disk, written over what a file holds, as a log is.
pub fn fdatasync_ms(directory: &Path) -> f64 {
    const PLACES: u64 = 16;
    let path = directory.join(format!("fdatasync-{}", std::process::id()));
    let mut file = File::create(&path).unwrap();
    (0..PLACES).for_each(|_| file.write_all(&[0; 4_096]).unwrap());
    file.sync_all().unwrap();
    let mut times: Vec<f64> = (0..101)
        .map(|round| {
            let begun = Instant::now();
            file.seek(SeekFrom::Start(4_096 * (round % PLACES))).unwrap();
            file.write_all(&[7; 4_096]).unwrap();
            file.sync_data().unwrap();
            begun.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    std::fs::remove_file(path).unwrap();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// User and system time of this process, in seconds; a clock tick is 1/100 s on Linux.
pub fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(')').map(|(_, fields)| fields).unwrap_or_default();
    fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>()
        / 100.0
}

pub fn max_rss_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or_default() / 1_024.0
}

/// Of values in order: the one that this share of them does not exceed.
pub fn percentile(values: &[f64], share: f64) -> f64 {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a share of a length"
    )]
    let index = (values.len() as f64 * share).ceil() as usize;
    round(values.get(index.max(1) - 1).copied().unwrap_or(f64::NAN))
}

/// The size of a file; 0 when there is none.
pub fn megabytes(file: &Path) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "a size for people")]
    let bytes = std::fs::metadata(file).map_or(0, |file| file.len()) as f64;
    round(bytes / 1e6)
}

/// Where SQLite logs what is committed.
pub fn wal_of(file: &Path) -> PathBuf {
    let mut wal = file.as_os_str().to_owned();
    wal.push("-wal");
    wal.into()
}

pub fn round(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}
