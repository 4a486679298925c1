//! The handlers of the page's examples.

use tasker_runtime::{ResultWrites, State, StepContext, StepError, step_handler};

#[step_handler("Explained::Charge")]
pub(super) async fn charge(#[input("cents")] cents: u64) -> u64 {
    cents
}

#[step_handler("Explained::Price")]
pub(super) async fn price() -> u64 {
    100
}

#[step_handler("Explained::Receipt")]
pub(super) async fn receipt(#[depends_on(price)] cents: u64) -> String {
    format!("{cents} cents")
}

#[step_handler("Explained::Fetch")]
pub(super) async fn fetch(#[config("url")] url: String, #[config("tries")] tries: Option<u32>) -> String {
    format!("{url} {tries:?}")
}

#[step_handler("Explained::Open")]
pub(super) async fn open(step: StepContext) -> Result<String, StepError> {
    step.config("url")
}

#[step_handler("Explained::Audit")]
pub(super) async fn audit() {}

#[derive(Clone)]
pub(super) struct Mailer;

#[step_handler("Explained::Mail")]
pub(super) async fn mail(_: State<Mailer>) {}

#[step_handler("Explained::Total")]
pub(super) async fn total() -> u64 {
    100
}

#[step_handler("Explained::Report")]
pub(super) async fn report(step: StepContext) -> Result<u64, StepError> {
    step.dependency("total")
}

#[step_handler("Explained::Rate")]
pub(super) async fn rate() -> String {
    "a tenth".to_owned()
}

#[step_handler("Explained::Fee")]
pub(super) async fn fee(#[depends_on("rate")] rate: f64) -> f64 {
    rate * 100.0
}

#[step_handler("Explained::Discount")]
pub(super) async fn discount() -> i64 {
    -5
}

#[step_handler("Explained::Scan")]
pub(super) async fn scan() -> String {
    "x".repeat(2_000_000)
}

#[step_handler("Explained::Nest")]
pub(super) async fn nest() -> serde_json::Value {
    (0..100).fold(serde_json::Value::Null, |inner, _| serde_json::json!([inner]))
}

#[step_handler("Explained::Average")]
pub(super) async fn average() -> f64 {
    let prices: [f64; 0] = [];
    prices.iter().sum::<f64>() / prices.len() as f64
}

#[step_handler("Explained::Wait")]
pub(super) async fn wait() {
    std::future::pending().await
}

#[step_handler("Explained::Index")]
pub(super) async fn index() -> u64 {
    [1, 2, 3].into_iter().nth(3).expect("there is a fourth")
}

#[step_handler("Explained::Book")]
pub(super) async fn book(writes: ResultWrites) {
    writes.add("DELETE FROM bookings WHERE id = $1", [7]);
}

#[step_handler("Explained::Greet")]
pub(super) async fn greet() -> String {
    "hello \u{1F600}".to_owned()
}
