//! Files that cannot be used, with the programs that people run.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rusqlite::Connection;
use tempfile::TempDir;

use crate::patience::output_of;
use crate::program::{example, root, text};

/// Whom permissions bind, when we are root.
const NOBODY: u32 = 65_534;

/// A store in a directory of its own, and two programs that use it as an ordinary user.
struct Place {
    directory: TempDir,
    worker: PathBuf,
    onlooker: PathBuf,
}

impl Place {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        // Nobody may look into the directory of Cargo.
        let programs = directory.path().join("programs");
        fs::create_dir(&programs).unwrap();
        let copied = |program: &Path| {
            let copy = programs.join(program.file_name().unwrap());
            // By another process: what is open for writing here, a program that starts meanwhile would
            // hold open as well, and then it cannot be run.
            assert!(Command::new("cp").arg(program).arg(&copy).status().unwrap().success());
            copy
        };
        let worker = copied(Path::new(example().get_program()));
        let onlooker = copied(Path::new(env!("CARGO_BIN_EXE_tasker")));
        fs::copy(root().join("templates/user_registration.yaml"), programs.join("template.yaml")).unwrap();
        let place = Self { directory, worker, onlooker };
        fs::create_dir(place.store().parent().unwrap()).unwrap();
        for path in ["", "programs", "store"] {
            permit(&place.directory.path().join(path), 0o777);
        }
        place
    }

    fn store(&self) -> PathBuf {
        self.directory.path().join("store/t.db")
    }

    fn run(&self, mut command: Command) -> Output {
        if fs::metadata(self.directory.path()).unwrap().uid() == 0 {
            command.uid(NOBODY).gid(NOBODY);
        }
        output_of(command.current_dir(self.directory.path()).env_remove("RUST_LOG"))
    }

    fn work(&self) -> Output {
        let mut command = Command::new(&self.worker);
        command.args(["--latency", "0", "--template", "programs/template.yaml", "--db"]).arg(self.store());
        self.run(command)
    }

    fn look(&self) -> Output {
        let mut command = Command::new(&self.onlooker);
        command.args(["task", "list", "--store"]).arg(format!("sqlite://{}", self.store().display()));
        self.run(command)
    }

    /// What lies beside the store, and what is in it.
    fn contents(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let files = fs::read_dir(self.store().parent().unwrap()).unwrap();
        let mut contents: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        contents.sort();
        contents.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
    }

    /// Neither program can use the store; both name it and say what to do, and leave all as it is.
    fn assert_refused(&self, programs: &[fn(&Self) -> Output], reason: &str) {
        let before = self.contents();
        for run in programs {
            let output = run(self);
            let errors = text(&output.stderr);
            assert_eq!(output.status.code(), Some(3), "{errors}{}", text(&output.stdout));
            assert!(
                errors.contains(&self.store().display().to_string()) && errors.contains(reason),
                "{errors}"
            );
            assert_eq!(self.contents(), before, "{errors}");
        }
    }
}

impl Drop for Place {
    /// So that the directory can be removed.
    fn drop(&mut self) {
        permit(self.store().parent().unwrap(), 0o777);
    }
}

fn permit(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_file_that_cannot_be_used_is_named_and_left_as_it_is() {
    let place = Place::new();
    let (path, directory) = (place.store(), place.store().parent().unwrap().to_owned());
    let both = [Place::work, Place::look];

    permit(&directory, 0o555);
    place.assert_refused(&[Place::work], "this user must be able to write it and its directory");
    permit(&directory, 0o777);

    let output = place.work();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    permit(&path, 0o444);
    place.assert_refused(&both, "it is read-only; let this user write it, or choose another path");
    permit(&path, 0o000);
    place.assert_refused(&both, "this user must be able to write it and its directory");
    permit(&path, 0o666);
    permit(&directory, 0o555);
    place.assert_refused(&both, "this user must be able to write it and its directory");
    permit(&directory, 0o777);
    let whole = fs::read(&path).unwrap();

    // A newer program marks its files.
    let newer = Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    drop(newer);
    place.assert_refused(&both, "has schema version 99, and this program knows");

    fs::write(&path, "A shopping list.\n".repeat(100)).unwrap();
    place.assert_refused(&both, "file is not a database; choose another path, or restore it from a backup");

    // Cut off in the middle, as by a copy that did not end.
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    place.assert_refused(&[Place::work], "is damaged");

    fs::remove_file(&path).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE task (id INTEGER)").unwrap();
    drop(other);
    permit(&path, 0o666);
    place.assert_refused(&both, "it is a SQLite database of another program; choose another path");

    // It was the file that was wrong, each time.
    fs::write(&path, whole).unwrap();
    assert_eq!(place.work().status.code(), Some(0));
}
