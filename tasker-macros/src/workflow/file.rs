//! Finding and reading the file of a template.

use std::path::{Path, PathBuf};

use proc_macro2::Span;

/// A template's file.
pub(super) struct File {
    /// Where it is.
    pub(super) path: PathBuf,
    pub(super) text: String,
}

/// Finds a file by the path that is written in the code: from the crate's root, else from the calling file.
pub(super) fn read(written: &str, caller: Span) -> Result<File, String> {
    let root = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let beside = caller.unwrap().local_file().and_then(|file| file.parent().map(Path::to_owned));
    // The compiler's paths are relative to the directory in which it runs.
    let beside = beside.and_then(|directory| directory.canonicalize().ok());
    let mut places: Vec<PathBuf> = root.into_iter().chain(beside).map(|place| place.join(written)).collect();
    places.dedup();
    let Some(path) = places.iter().find(|place| place.is_file()) else {
        return Err(match places.iter().find(|place| place.is_dir()) {
            Some(place) => format!("[TSK202] `{}` is a directory: name one of its files", place.display()),
            None => not_found(written, &places),
        });
    };
    let unreadable = |error| format!("[TSK202] cannot read the template `{}`: {error}", path.display());
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    Ok(File { path: path.clone(), text })
}

fn not_found(written: &str, places: &[PathBuf]) -> String {
    let tried: Vec<String> = places.iter().map(|place| format!("`{}`", place.display())).collect();
    let mut message = format!(
        "[TSK202] there is no template `{written}`: it is looked for from the crate's root, and beside this \
         file: {}",
        tried.join(", ")
    );
    if let Some(near) = places.iter().find_map(|place| near(place)) {
        message.push_str(&format!("; did you mean `{near}`?"));
    }
    message
}

/// The file of the same directory that was probably meant.
fn near(place: &Path) -> Option<String> {
    let wanted = place.file_name()?.to_str()?;
    let entries = std::fs::read_dir(place.parent()?).ok()?;
    let mut names: Vec<String> =
        entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    tasker_template::nearest(wanted, names.iter().map(String::as_str)).map(ToOwned::to_owned)
}
