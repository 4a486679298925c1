//! How long the SQLite store's writer is busy with each transaction, as it says itself.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use crate::measure::percentile;

/// Milliseconds, one for each transaction.
#[derive(Clone, Debug, Default)]
pub struct Writer(Arc<Mutex<Vec<f64>>>);

impl Writer {
    /// Listens, from now to the end of the process.
    pub fn watch() -> Self {
        let own = Self::default();
        let only = Targets::new().with_target("tasker_store::sqlite::writer", Level::TRACE);
        let subscriber = tracing_subscriber::registry().with(own.clone().with_filter(only));
        tracing::subscriber::set_global_default(subscriber).unwrap();
        own
    }

    /// Forgets what was before.
    pub fn forget(&self) {
        self.0.lock().unwrap().clear();
    }

    pub fn figures(&self) -> Value {
        let mut busy = self.0.lock().unwrap().clone();
        busy.sort_by(f64::total_cmp);
        json!({
            "transactions": busy.len(),
            "p50_ms": percentile(&busy, 0.5),
            "p99_ms": percentile(&busy, 0.99),
            "p999_ms": percentile(&busy, 0.999),
            "max_ms": percentile(&busy, 1.0),
        })
    }
}

impl<S: Subscriber> Layer<S> for Writer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        event.record(&mut Seconds(&mut self.0.lock().unwrap()));
    }
}

struct Seconds<'a>(&'a mut Vec<f64>);

impl Visit for Seconds<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        if field.name() == "seconds" {
            self.0.push(value * 1e3);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}
