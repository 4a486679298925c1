//! The steps of a workflow of any size: their names, what they wait for, and what comes of them.

/// A step, and the handler that it has.
#[derive(Debug)]
pub struct Step {
    /// In snake case: of the step and of its handler's function
    pub name: String,
    /// In camel case: of its result's type, and the end of its callable
    pub title: String,
    /// The steps that it depends on, one to three; none for the first
    pub parents: Vec<usize>,
    /// The number in its result
    pub count: u64,
}

const VERBS: [&str; 8] = ["reserve", "charge", "verify", "notify", "export", "archive", "score", "ship"];
const NOUNS: [&str; 9] =
    ["account", "invoice", "parcel", "payment", "profile", "refund", "shipment", "stock", "voucher"];

/// This many steps.
pub fn steps(number: usize) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::with_capacity(number);
    for index in 0..number {
        let (verb, noun) = (VERBS[index % VERBS.len()], NOUNS[index % NOUNS.len()]);
        let back =
            [Some(1 + index % 3), Some(5).filter(|_| index % 2 == 1), Some(9).filter(|_| index % 3 == 0)];
        let mut parents: Vec<usize> =
            back.into_iter().flatten().filter_map(|back| index.checked_sub(back)).collect();
        if parents.is_empty() && index > 0 {
            parents.push(0);
        }
        let count = 1 + parents.iter().map(|parent| steps[*parent].count).max().unwrap_or(0);
        steps.push(Step {
            name: format!("{verb}_{noun}_{index}"),
            title: format!("{}{}{index}", capitalized(verb), capitalized(noun)),
            parents,
            count,
        });
    }
    steps
}

fn capitalized(word: &str) -> String {
    word[..1].to_uppercase() + &word[1..]
}
