//! The paths of faults, as other programs expect them.

use std::path::{Component, Path};

use crate::cli::output::short;

/// The path with `/` between its parts, relative to the current directory where it lies below that.
pub(super) fn portable(file: &str) -> String {
    let path = short(Path::new(file));
    if path.is_absolute() {
        return path.display().to_string().replace(std::path::MAIN_SEPARATOR, "/");
    }
    let parts = path.components().filter(|part| *part != Component::CurDir);
    parts.map(|part| part.as_os_str().to_string_lossy().into_owned()).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_relative_where_it_can_be() {
        let here = std::env::current_dir().unwrap().join("templates").join("a.yaml");
        assert_eq!(portable(&here.display().to_string()), "templates/a.yaml");
        assert_eq!(portable("./templates/./a.yaml"), "templates/a.yaml");
        assert_eq!(portable("../a.yaml"), "../a.yaml");
    }
}
