//! How a file is opened: read from a URL, or said in code.

use std::path::{Path, PathBuf};

use tasker_store::StoreError;

use crate::SqliteStore;
use crate::error::cannot_open;

/// How a SQLite store is opened, where [`SqliteStore::open`] is not enough: with tables of the application's
/// own in the same file, or in files that are attached to it.
///
/// ```
/// use tasker::store::SqliteOptions;
/// # let directory = std::env::temp_dir().join(format!("tasker-doc-options-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory).unwrap();
/// # let (shop, stock) = (directory.join("shop.db"), directory.join("stock.db"));
/// # for file in [&shop, &stock] { std::fs::write(file, "").unwrap(); }
/// let store = SqliteOptions::new(&shop).share().attach("stock", &stock).open()?;
/// let builder = tasker::Tasker::builder().store(store);
/// # drop(builder);
/// # std::fs::remove_dir_all(directory).unwrap();
/// # Ok::<(), tasker::store::StoreError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqliteOptions {
    pub(crate) path: PathBuf,
    pub(crate) share: bool,
    /// The files to attach, by the names of their schemas.
    pub(crate) attached: Vec<(String, PathBuf)>,
}

impl SqliteOptions {
    /// For the file at this path, which is created when there is none.
    ///
    /// ```
    /// let options = tasker::store::SqliteOptions::new("tasker.db");
    /// ```
    #[must_use]
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self { path: path.as_ref().to_path_buf(), share: false, attached: Vec::new() }
    }

    /// Shares the file with an application: Tasker's tables lie beside the application's, and a statement of
    /// [`ResultWrites`](https://docs.rs/tasker/latest/tasker/struct.ResultWrites.html) is committed with its
    /// step's result, exactly once.
    ///
    /// The application keeps `PRAGMA user_version` and `PRAGMA application_id` for itself: the version of
    /// Tasker's tables is in the table `tasker_schema`. By that table the file is recognized from then on,
    /// also without this option. The file is put into WAL mode. None of the application's tables may have the
    /// name of one of Tasker's; opening names the first that has.
    ///
    /// ```
    /// let options = tasker::store::SqliteOptions::new("shop.db").share();
    /// ```
    #[must_use]
    pub fn share(mut self) -> Self {
        self.share = true;
        self
    }

    /// Attaches a file of the application's, whose tables the statements of
    /// [`ResultWrites`](https://docs.rs/tasker/latest/tasker/struct.ResultWrites.html) name as `name.table`.
    /// The file must be there, and is put into WAL mode.
    ///
    /// SQLite commits a transaction one file after the other, the store's first. When the machine or the
    /// process ends in between, the step has its result and the attached file lacks the statement. Where that
    /// may never be, [share](Self::share) one file.
    ///
    /// ```
    /// let options = tasker::store::SqliteOptions::new("tasker.db").attach("shop", "shop.db");
    /// ```
    #[must_use]
    pub fn attach(mut self, name: impl Into<String>, path: impl AsRef<Path>) -> Self {
        self.attached.push((name.into(), path.as_ref().to_path_buf()));
        self
    }

    /// Reads `sqlite://PATH?share=true&attach=NAME:PATH`. Paths are taken as they are written, so that one
    /// with `?` or `&` cannot be said in a URL.
    ///
    /// ```
    /// use tasker::store::SqliteOptions;
    /// let options = SqliteOptions::from_url("sqlite://tasker.db?attach=shop:data/shop.db")?;
    /// assert_eq!(options, SqliteOptions::new("tasker.db").attach("shop", "data/shop.db"));
    /// # Ok::<(), tasker::store::StoreError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When it is no such URL, or has a setting that is not known.
    pub fn from_url(url: &str) -> Result<Self, StoreError> {
        let place = url.strip_prefix("sqlite://").or(url.strip_prefix("sqlite:"));
        let place = place.ok_or_else(|| StoreError::Url { url: url.to_owned() })?;
        let (path, settings) = place.split_once('?').unwrap_or((place, ""));
        if path.is_empty() {
            return Err(StoreError::Url { url: url.to_owned() });
        }
        // Whoever writes these means what they mean in other URLs: the file would have another name.
        let is_escape = |at: usize| {
            path.as_bytes().get(at + 1..at + 3).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit))
        };
        let reason = if path.contains('#') {
            Some("a path with `#` in it cannot be part of a URL")
        } else if path.match_indices('%').any(|(at, _)| is_escape(at)) {
            Some("a path is taken as it is written: write it without `%` escapes")
        } else {
            None
        };
        if let Some(reason) = reason {
            return Err(cannot_open(path.as_ref(), reason));
        }
        let mut options = Self::new(path);
        for setting in settings.split('&').filter(|setting| !setting.is_empty()) {
            let wrong = |reason: String| cannot_open(path.as_ref(), reason);
            let (key, value) = setting.split_once('=').unwrap_or((setting, ""));
            match key {
                "share" => {
                    let share = value.parse();
                    options.share = share.map_err(|_| wrong("write `share=true` or `share=false`".into()))?;
                }
                "attach" => match value.split_once(':') {
                    Some((name, file)) if !file.is_empty() => options = options.attach(name, file),
                    _ => return Err(wrong("write `attach=NAME:PATH`".into())),
                },
                _ => {
                    let reason = format!(
                        "`{key}` is no setting of a SQLite store, which has `share=true` and \
                         `attach=NAME:PATH`; a path with `?` in it cannot be part of a URL"
                    );
                    return Err(wrong(reason));
                }
            }
        }
        Ok(options)
    }

    /// The path of the store's file.
    ///
    /// ```
    /// let options = tasker::store::SqliteOptions::from_url("sqlite://shop.db?share=true")?;
    /// assert_eq!(options.path(), std::path::Path::new("shop.db"));
    /// # Ok::<(), tasker::store::StoreError>(())
    /// ```
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the store.
    ///
    /// # Errors
    ///
    /// As [`SqliteStore::open`], and when a table of the application's has the name of one of Tasker's, or an
    /// attached file is missing or cannot be written.
    ///
    /// ```
    /// use tasker::store::SqliteOptions;
    /// # let path = std::env::temp_dir().join(format!("tasker-doc-shared-{}.db", std::process::id()));
    /// let store = SqliteOptions::new(&path).share().open()?;
    /// # drop(store);
    /// # std::fs::remove_file(path).unwrap();
    /// # Ok::<(), tasker::store::StoreError>(())
    /// ```
    pub fn open(&self) -> Result<SqliteStore, StoreError> {
        SqliteStore::start(SqliteStore::session(self)?)
    }
}

#[cfg(test)]
mod tests {
    use tasker_store::chain;

    use super::*;

    #[test]
    fn a_url_says_all_of_it() {
        let read = |url| SqliteOptions::from_url(url).unwrap();
        assert_eq!(read("sqlite://a/b.db"), SqliteOptions::new("a/b.db"));
        assert_eq!(read("sqlite:b c%.db?"), SqliteOptions::new("b c%.db"));
        assert_eq!(read("sqlite://b.db?share=false"), SqliteOptions::new("b.db"));
        assert_eq!(
            read("sqlite:///b.db?attach=x:/x.db&share=true&attach=y:c:\\y.db"),
            SqliteOptions::new("/b.db").attach("x", "/x.db").share().attach("y", "c:\\y.db")
        );
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for (url, says) in [
            ("sqlite://", "is not the URL of a store"),
            ("sqlite://?share=true", "is not the URL of a store"),
            ("sqlite://b.db?share", "write `share=true` or `share=false`"),
            ("sqlite://b.db?attach=x", "write `attach=NAME:PATH`"),
            ("sqlite://b.db?attach=x:", "write `attach=NAME:PATH`"),
            ("sqlite:b%20c.db", "write it without `%` escapes"),
            ("sqlite://b.db?mode=rwc", "`mode` is no setting of a SQLite store"),
        ] {
            let error = chain(&SqliteOptions::from_url(url).unwrap_err());
            assert!(error.contains(says), "{url}: {error}");
        }
    }
}
