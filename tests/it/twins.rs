//! Broken twins: the random histories, run once more with a deliberate fault in the product, find it.

#[path = "../processes/twin.rs"]
mod twin;

use twin::must_be_found;

#[test]
fn an_answer_under_a_claim_that_does_not_hold_is_found_by_the_simulation() {
    let test = ["--exact", "simulation::every_schedule_ends_where_the_model_says"];
    must_be_found("no-fence", &test, &["was answered though it did not hold"]);
}

#[test]
fn a_parent_that_is_not_counted_is_found_by_the_simulation() {
    let test = ["--exact", "simulation::every_schedule_ends_where_the_model_says"];
    must_be_found("no-decrement", &test, &["the schedule that failed"]);
}

#[test]
fn a_row_that_is_not_written_is_found_by_the_comparison_of_stores() {
    let test = ["--exact", "store_model::sqlite_answers_as_memory_does"];
    must_be_found("skipped-row", &test, &["assertion"]);
}
