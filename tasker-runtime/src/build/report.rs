//! The error type for a program's `main`.

use std::error::Error;
use std::fmt;

use tasker_store::{BoxError, chain};

use crate::build::fault::BuildError;

/// Any error, for the `main` of a program. Rust prints the error that `main` returns with `Debug`; the
/// `Debug` of a `Report` is the error's text with all its causes.
///
/// ```no_run
/// use tasker::Tasker;
///
/// #[tokio::main]
/// async fn main() -> Result<(), tasker::Report> {
///     let tasker = Tasker::builder().templates("templates").build().await?;
///     tasker.shutdown().await;
///     Ok(())
/// }
/// ```
pub struct Report(BoxError);

impl<E: Error + Send + Sync + 'static> From<E> for Report {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is::<BuildError>() {
            // The text has many lines, and may begin with a drawn fault.
            f.write_str("the runtime cannot start\n\n")?;
        }
        f.write_str(&chain(&*self.0))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&chain(&*self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_tells_the_causes() {
        let source = std::io::Error::other("no space left").into();
        let error = tasker_store::StoreError::Open { what: "t.db".to_owned(), source };
        let failed = || -> Result<(), Report> { Err(crate::Error::from(error))? };
        assert_eq!(format!("{:?}", failed().unwrap_err()), "cannot open t.db: no space left");
    }
}
