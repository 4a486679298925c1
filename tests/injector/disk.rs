//! A fault injector between SQLite and the operating system: `disk.c`, loaded into this process before libc.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::patience::output_of;

/// What happens to calls of the operating system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The n-th reading, writing, syncing or resizing fails with `EIO`.
    Io = 1,
    /// From the n-th writing on, the disk is full.
    Full = 2,
    /// The n-th writing writes half, and the rest of it fails.
    ShortWrite = 3,
    /// The n-th syncing fails.
    Sync = 4,
    /// From the n-th lock of a writer on, somebody else has it.
    Busy = 5,
}

/// Names the file by which the library is told what to do.
pub const CONTROL: &str = "TASKER_TEST_DISK";
/// As in `disk.c`: fault, left, hit, unused, and the paths.
const SIZE: u64 = 16 + 1024;

#[derive(Debug)]
pub struct Disk(File);

/// Compiles the library, and has this program started with it.
pub fn under(command: &mut Command, directory: &Path) {
    let library: PathBuf = directory.join("disk.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/injector/disk.c");
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "gcc".into());
    let mut compile = Command::new(compiler);
    compile.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).arg("-ldl");
    let output = output_of(&mut compile);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let control = directory.join("control");
    File::create(&control).unwrap().set_len(SIZE).unwrap();
    command.env("LD_PRELOAD", library).env(CONTROL, control);
}

impl Disk {
    /// For the files whose paths begin with `watched`, in a process that was started [`under`] the library.
    pub fn watching(watched: &Path) -> Self {
        let control = std::env::var_os(CONTROL).expect("the library is loaded");
        let file = OpenOptions::new().read(true).write(true).open(control).unwrap();
        let path = watched.to_str().unwrap().as_bytes();
        file.write_all_at(&[0; SIZE as usize], 0).unwrap();
        file.write_all_at(path, 16).unwrap();
        Self(file)
    }

    /// From now on the `position`-th call of those that the fault is about goes wrong; the first is 1.
    pub fn arm(&self, fault: Fault, position: usize) {
        self.write(1, i32::try_from(position).unwrap());
        self.write(2, 0);
        self.write(0, fault as i32);
    }

    /// The fault is over. Whether it has hit anything.
    pub fn disarm(&self) -> bool {
        self.write(0, 0);
        self.is_hit()
    }

    /// Until a call has been hit.
    pub async fn hit(&self) {
        while !self.is_hit() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn is_hit(&self) -> bool {
        self.read(2) == 1
    }

    fn read(&self, field: u64) -> i32 {
        let mut bytes = [0; 4];
        self.0.read_exact_at(&mut bytes, field * 4).unwrap();
        i32::from_ne_bytes(bytes)
    }

    fn write(&self, field: u64, value: i32) {
        self.0.write_all_at(&value.to_ne_bytes(), field * 4).unwrap();
    }
}
