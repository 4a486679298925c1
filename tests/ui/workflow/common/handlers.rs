//! The handlers of `shop.yaml`.

use serde::{Deserialize, Serialize};
use tasker::prelude::*;

#[derive(Debug, Serialize, Deserialize)]
pub struct Reservation {
    pub id: u32,
}

#[derive(Serialize, Deserialize, WorkflowInput)]
pub struct Order {
    pub item: String,
    pub cents: u64,
    pub note: Option<String>,
}

#[step_handler("Shop::Reserve")]
pub async fn reserve(#[input("item")] item: String) -> Reservation {
    Reservation { id: item.len() as u32 }
}

#[step_handler("Shop::Charge")]
pub async fn charge(#[depends_on(reserve)] reserved: Reservation, #[input("cents")] cents: u64) -> u64 {
    u64::from(reserved.id) + cents
}

#[step_handler("Shop::Notify")]
pub async fn notify(#[depends_on("reserve")] reserved: Reservation, #[input("note")] note: Option<String>) -> String {
    format!("{reserved:?} {note:?}")
}

#[step_handler("Shop::Ship")]
pub async fn ship(#[depends_on(charge)] charged: u64, #[depends_on("notify")] notified: Option<String>) -> String {
    format!("{charged} {notified:?}")
}
