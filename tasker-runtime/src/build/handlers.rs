//! Lists the handlers that a program has.

use crate::build::builder::Builder;
use crate::build::registry::{Handler, Key};
use crate::handler::HandlerInfo;

impl Builder {
    /// The handlers, listed and self-registered, in the order of their source code; closures come last, by
    /// their callables. Of two with the same callable and method there is the first, which
    /// [`validate`](Self::validate) reports.
    ///
    /// ```
    /// use tasker::{Tasker, step_handler};
    ///
    /// #[step_handler("Docs::Weigh")]
    /// async fn weigh() -> u32 { 7 }
    ///
    /// #[step_handler("Docs::Post")]
    /// async fn post(#[depends_on(weigh)] grams: u32) -> bool { grams < 1_000 }
    ///
    /// let builder = Tasker::builder().only_listed_handlers().handler::<weigh>().handler::<post>();
    /// let handlers = builder.handlers();
    /// assert_eq!((&*handlers[1].callable, &*handlers[1].name), ("Docs::Post", "post"));
    /// assert_eq!(handlers[1].depends_on.unwrap()[0].step, "weigh");
    /// ```
    #[must_use]
    pub fn handlers(&self) -> Vec<HandlerInfo> {
        let registry = self.registry(&mut Vec::new());
        let mut all: Vec<HandlerInfo> = registry.iter().map(|(key, handler)| info(key, handler)).collect();
        all.sort_by_cached_key(|one| {
            let place = one.location.map(|place| (place.file, place.line));
            (place.is_none(), place, one.callable.clone(), one.method.clone())
        });
        all
    }
}

fn info((callable, method): &Key, handler: &Handler) -> HandlerInfo {
    HandlerInfo {
        callable: callable.clone(),
        method: method.clone(),
        name: handler.name.strip_prefix("r#").unwrap_or(&handler.name).to_owned(),
        location: handler.location,
        depends_on: handler.depends_on,
    }
}
